(() => {
const { data, palette } = figures;
const { make, button, signed } = networks;
const byId = (id) => document.getElementById(id);
const panels = [];
const percent = (value) => `${Math.round(100 * value)} %`;

class Panel {
  constructor(number) {
    this.number = number;
    this.off = new Set();
    this.nodes = data.runs[0].nodes;
    this.gene = "";
    this.shown = 0;
    this.hits = [];
    this.at = -1;
    this.place = make("section", "", "card panel");
    this.place.setAttribute("aria-label", `Target ${number + 1}`);
    this.buildSearch();
    this.status = make("p", "", "small status");
    this.status.setAttribute("role", "status");
    this.head = make("div");
    this.controls = make("form", "", "controls");
    this.controls.addEventListener("submit", (event) => event.preventDefault());
    this.choices = make("div", "", "choices");
    this.choices.setAttribute("role", "group");
    this.choices.setAttribute("aria-label", "Subgraphs");
    const figure = make("div", "", "figure");
    this.networkPlace = make("div", "", "network");
    figure.append(this.choices, this.networkPlace);
    this.facts = make("div");
    this.body = make("div");
    this.body.hidden = true;
    this.body.append(this.head, this.controls, figure, this.facts);
    this.place.append(this.form, this.status, this.body);
    this.network = new networks.Network(this.networkPlace, {
      name: () => `${this.view ? this.view.symbol : "target"} subgraph ${this.shown + 1}`,
      sources: data.sources, palette, light: data.palettes.light,
    });
    this.buildControls();
  }

  // ---- search: a combobox
  buildSearch() {
    this.form = make("form", "", "search");
    this.form.setAttribute("role", "search");
    const list = `hits-${this.number}`;
    const label = make("label", "Gene ");
    this.input = make("input");
    this.input.type = "search";
    this.input.placeholder = "symbol, name or HGNC id";
    this.input.autocomplete = "off";
    this.input.spellcheck = false;
    for (const [key, value] of Object.entries({
      role: "combobox", "aria-expanded": "false", "aria-controls": list, "aria-autocomplete": "list",
    })) this.input.setAttribute(key, value);
    label.append(this.input);
    this.list = make("ul", "", "hits");
    this.list.id = list;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Genes");
    this.list.hidden = true;
    if (data.runs.length > 1) {
      const run = make("label", "Run ");
      this.run = make("select");
      for (const [k, one] of data.runs.entries()) {
        const option = make("option", `${one.title} (${one.folder})`);
        option.value = String(k);
        this.run.append(option);
      }
      this.run.value = String(Math.min(this.number, data.runs.length - 1));
      this.run.addEventListener("change", () => {
        this.off.clear();
        this.buildControls();
        if (this.gene) this.load();
      });
      run.append(this.run);
      this.form.append(run);
    }
    this.form.append(label, this.list);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      // what is typed counts, unless one of the list was chosen: the list may be that of before
      const hit = this.at >= 0 ? this.hits[this.at] : null;
      this.pick(hit ? hit.gene : this.input.value);
    });
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && this.hits.length) {
        event.preventDefault();
        this.at = (this.at + step + this.hits.length) % this.hits.length;
        this.mark();
      } else if (event.key === "Escape") this.close();
    });
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  async search() {
    const text = this.input.value;
    this.at = -1; // a choice from the list of before is none of this text
    const hits = await ask(`/api/search?run=${this.runNumber()}&q=${encodeURIComponent(text)}`);
    if (text !== this.input.value || !Array.isArray(hits)) return;
    this.hits = hits;
    this.list.replaceChildren(...hits.map((hit, k) => {
      const item = make("li");
      item.id = `hit-${this.number}-${k}`;
      item.setAttribute("role", "option");
      item.append(make("strong", hit.symbol), ` ${hit.name} `, make("span", `rank ${hit.rank}`, "small"));
      item.addEventListener("pointerdown", () => this.pick(hit.gene));
      return item;
    }));
    this.list.hidden = !hits.length;
    this.input.setAttribute("aria-expanded", String(hits.length > 0));
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, k) => item.setAttribute("aria-selected", String(k === this.at)));
    if (this.at >= 0) this.input.setAttribute("aria-activedescendant", `hit-${this.number}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.at = -1;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  pick(gene) {
    if (!gene.trim()) return;
    this.close();
    this.gene = gene;
    this.load();
  }

  runNumber() {
    return this.run ? Number(this.run.value) : 0;
  }

  // ---- what can be changed
  buildControls() {
    const run = data.runs[this.runNumber()];
    const size = make("label", "Nodes ");
    this.range = make("input");
    this.range.type = "range";
    [this.range.min, this.range.max] = data.limits;
    this.range.value = String(this.nodes);
    const told = make("output", String(this.nodes));
    let wait = 0;
    this.range.addEventListener("input", () => {
      this.nodes = Number(this.range.value);
      told.textContent = String(this.nodes);
      clearTimeout(wait);
      wait = setTimeout(() => this.load(true), 150);
    });
    size.append(this.range, told);
    const groups = ["layer", "relation"].map((kind) => {
      const group = make("fieldset");
      group.append(make("legend", kind === "layer" ? "Layers" : "Relations"));
      for (const one of run.switches.filter((s) => s.kind === kind)) {
        const label = make("label", "", "check");
        const box = make("input");
        box.type = "checkbox";
        box.checked = !this.off.has(one.key);
        box.dataset.key = one.key;
        box.addEventListener("change", () => {
          if (box.checked) this.off.delete(one.key);
          else this.off.add(one.key);
          this.load(true);
        });
        label.append(box, ` ${one.label}`);
        group.append(label);
      }
      return group;
    });
    this.controls.replaceChildren(size, ...groups);
  }

  async load(keepPlaces = false) {
    this.asked = (this.asked || 0) + 1;
    const asked = this.asked;
    this.status.textContent = "explaining …";
    const query = new URLSearchParams([["run", this.runNumber()], ["gene", this.gene], ["nodes", this.nodes],
      ...[...this.off].map((key) => ["off", key])]);
    const view = await ask(`/api/explain?${query}`);
    if (asked !== this.asked) return;
    if (view.error) {
      this.status.textContent = view.error;
      this.status.classList.add("wrong");
      return;
    }
    this.status.textContent = "";
    this.status.classList.remove("wrong");
    this.view = view;
    this.gene = view.gene;
    this.input.value = view.symbol;
    this.body.hidden = false;
    this.show(keepPlaces);
    remember();
    compare();
    if (!view.faithfulness.words) this.test(asked, query);
  }

  // whether the score follows the explanation takes longer to find out
  async test(asked, query) {
    this.status.textContent = "testing whether the score follows the explanation …";
    query.set("test", "1");
    const view = await ask(`/api/explain?${query}`);
    if (asked !== this.asked) return;
    this.status.textContent = "";
    if (view.error) return;
    for (const key of ["faithfulness", "curves", "caveats"]) this.view[key] = view[key];
    this.tell();
  }

  show(keepPlaces) {
    const { view } = this;
    this.shown = Math.min(this.shown, view.networks.length - 1);
    this.choices.hidden = view.networks.length < 2;
    this.choices.replaceChildren(...view.networks.map((net, k) => {
      const words = net.share === null ? "" : `: ${percent(net.share)} of the score`;
      const choice = button(`Subgraph ${k + 1}${words}`, `Show subgraph ${k + 1}`, () => {
        this.shown = k;
        this.show(false);
        compare();
      });
      choice.setAttribute("aria-pressed", String(k === this.shown));
      return choice;
    }));
    this.network.show(view.networks[this.shown], keepPlaces);
    this.tell();
  }

  tell() {
    const { view } = this;
    const title = make("h2", view.symbol);
    const facts = make("p", "", "facts");
    const fact = (text) => facts.append(make("span", text));
    fact(`rank ${view.row.rank} (${view.row.rank_low}–${view.row.rank_high})`);
    fact(`score ${signed(view.row.score, 2)}`);
    if (this.off.size) {
      facts.append(make("strong", `now ${signed(view.score, 2)} (${signed(view.score - view.whole_score, 2)})`, "now"));
    }
    if (view.trust.tier) fact(view.trust.tier);
    if (view.row.is_known) facts.append(make("span", "known target", "badge accent"));
    if (view.faithfulness.words) facts.append(make("span", `explanation ${view.faithfulness.words}`, `badge ${view.faithfulness.kind}`));
    if (view.direction !== "unknown") fact(`a drug would have to ${view.direction} it`);
    fact(`${view.row.degree} neighbours`);
    this.head.replaceChildren(title, facts, make("p", view.sentence, "sentence"));
    if (!view.row.degree) this.head.append(make("p", "No neighbourhood: the graph has no edge of this gene, so its score rests on its own measurements alone.", "small"));
    this.facts.replaceChildren(...this.tables());
    for (const [place, figure] of this.plots) figures.drawFigure(place, figure);
  }

  tables() {
    const { view } = this;
    const shares = make("table", "", "bars");
    shares.append(make("caption", "What makes the score (standard deviations)"));
    for (const share of view.shares) {
      const row = shares.insertRow();
      const name = make("th", share.name);
      name.scope = "row";
      const track = make("td", "", "track");
      const bar = make("i", "", share.value >= 0 ? "up" : "down");
      bar.style.left = `${share.left}%`;
      bar.style.width = `${share.width}%`;
      track.append(bar);
      const value = make("td", signed(share.value, 2), "num");
      if (share.spread !== null) value.append(make("small", ` ± ${share.spread.toFixed(2)}`));
      row.append(name, track, value);
    }
    const evidence = make("table", "", "bars");
    evidence.append(make("caption", "What the cohort shows (log₂ effect)"));
    for (const one of view.evidence) {
      const row = evidence.insertRow();
      const name = make("th", one.label);
      name.scope = "row";
      const words = one.observed ? `${signed(one.effect, 2)}, q ${one.q.toPrecision(1)}` : one.why || "not observed";
      row.append(name, make("td", words, "num"));
    }
    const pair = make("div", "", "pair");
    pair.append(shares, evidence);
    const found = [pair];
    this.plots = [];
    for (const [figure, label] of [[view.samples, "Sample by sample"], [view.curves, "Does the score follow the explanation?"]]) {
      if (!figure) continue;
      const place = make("div", "", "plot");
      place.style.height = `${figure.layout.height}px`;
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", label);
      found.push(make("h3", label), place);
      this.plots.push([place, figure]);
    }
    if (view.faithfulness.rule) found.push(make("p", view.faithfulness.rule));
    if (view.drugs.length) found.push(make("p", `Drugs: ${view.drugs.join(", ")}`));
    if (view.caveats.length) {
      const list = make("ul", "", "tight");
      list.append(...view.caveats.map((text) => make("li", text)));
      found.push(make("h3", "What would make this explanation wrong"), list);
    }
    return found;
  }
}

// ---- two targets, or one target in two runs
const compare = () => {
  const place = byId("difference");
  const [a, b] = panels.map((panel) => panel.view);
  place.hidden = !(a && b);
  if (place.hidden) return;
  const table = make("table", "", "plain");
  const head = table.createTHead().insertRow();
  for (const text of ["", a.symbol, b.symbol, "difference"]) {
    const cell = make("th", text, text ? "num" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  const row = (name, x, y) => {
    const cells = body.insertRow();
    const first = make("th", name);
    first.scope = "row";
    cells.append(first, ...[x, y, x - y].map((v) => make("td", signed(v, 2), "num")));
  };
  row("Score", a.score, b.score);
  const values = (view) => new Map(view.shares.map((s) => [s.name, s.value]));
  const x = values(a), y = values(b);
  for (const name of new Set([...x.keys(), ...y.keys()])) row(name, x.get(name) || 0, y.get(name) || 0);
  const labels = (view, shown) => new Map(view.networks[shown].nodes.map((n) => [n.id, n.label]));
  const p = labels(a, panels[0].shown), q = labels(b, panels[1].shown);
  const said = (text, ids, names) => make("p", `${text}: ${ids.length ? ids.map((id) => names.get(id)).join(", ") : "none"}.`);
  place.replaceChildren(
    make("h2", `${a.symbol} and ${b.symbol}`), table,
    said("In both subgraphs", [...p.keys()].filter((id) => q.has(id)), p),
    said(`Only around ${a.symbol}`, [...p.keys()].filter((id) => !q.has(id)), p),
    said(`Only around ${b.symbol}`, [...q.keys()].filter((id) => !p.has(id)), q),
  );
};

const ask = async (address) => {
  try {
    const answer = await fetch(address);
    return await answer.json();
  } catch {
    return { error: "the viewer does not answer; is it still running?" };
  }
};
const remember = () => {
  const genes = panels.filter((panel) => panel.view).map((panel) => encodeURIComponent(panel.view.symbol));
  history.replaceState(null, "", `#${genes.join(",")}`);
};
const add = () => {
  const panel = new Panel(panels.length);
  panels.push(panel);
  byId("panels").append(panel.place);
  return panel;
};
byId("compare").addEventListener("click", () => {
  const two = panels.length < 2;
  byId("compare").setAttribute("aria-pressed", String(two));
  if (two) {
    const panel = add();
    if (data.runs.length > 1 && panels[0].gene) panel.pick(panels[0].gene);
    else panel.input.focus();
  } else {
    panels.pop().place.remove();
    remember();
  }
  byId("panels").classList.toggle("two", two);
  compare();
});
figures.onTheme((colours) => panels.forEach((panel) => panel.view && panel.network.colour(colours)));
const first = add();
const [one, two] = location.hash.slice(1).split(",").map(decodeURIComponent);
if (two || data.runs.length > 1) byId("compare").click();
if (one) first.pick(one);
else ask("/api/search?q=").then((hits) => Array.isArray(hits) && hits.length && first.pick(hits[0].gene));
if (two) panels[1].pick(two);
else if (data.runs.length > 1 && one) panels[1].pick(one);
first.input.focus();
})();
