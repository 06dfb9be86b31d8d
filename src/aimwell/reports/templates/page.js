(() => {
const { data, draw, drawn } = figures;
const byId = (id) => document.getElementById(id);

// ---- the ranked table
const { columns, ids, anchors } = data.table;
const column = Object.fromEntries(columns.map((c) => [c.key, c.values]));
const haystack = ids.map((id, i) =>
  `${column.symbol[i]}\n${id}\n${column.drugs[i]}`.toLowerCase());
const state = { key: "rank", descending: false, page: 0, rows: ids.map((_, i) => i) };
const minus = (text) => text.replace("-", "−");
const show = {
  rank: (v) => String(v),
  whole: (v) => String(v),
  symbol: (v) => v,
  text: (v) => v,
  tier: (v) => ({ robust: "● ", supported: "◐ " }[v] || "○ ") + v,
  score: (v) => v.toFixed(3),
  flag: (v) => (v ? "known" : ""),
  effect: (v) => minus((v > 0 ? "+" : "") + v.toFixed(2)),
  q: (v) => (v >= 0.001 || v === 0 ? v.toFixed(v >= 0.1 ? 2 : 3) : minus(v.toExponential(0))),
};
const make = (name, text, className) => {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const cellOf = (c, i) => {
  const value = c.values[i];
  if (c.kind === "symbol") {
    const cell = make("th");
    cell.scope = "row";
    if (anchors[i]) {
      const link = make("a", value);
      link.href = `#${anchors[i]}`;
      cell.append(link);
    } else cell.textContent = value;
    return cell;
  }
  const plain = ["text", "flag", "tier"].includes(c.kind);
  const cell = make("td", "", plain ? c.key : "num");
  if (value === null) {
    cell.textContent = "–";
    cell.title = c.kind === "tier" ? "no tier" : "not observed";
  } else if (c.kind === "interval") {
    const digits = c.key === "ranks" ? 0 : 3;
    cell.textContent = `${value.toFixed(digits)}–${c.high[i].toFixed(digits)}`;
  } else if (c.kind === "flag") {
    if (value) cell.append(make("span", "known", "tag"));
  } else {
    cell.textContent = show[c.kind](value);
    if (c.kind === "text") cell.title = value;
    if (c.kind === "effect" && c.group) {
      const q = column[c.key.replace("effect", "q")][i];
      if (q !== null && q < 0.05) cell.classList.add(value >= 0 ? "up" : "down");
    }
  }
  return cell;
};
const table = byId("ranked");
const render = () => {
  const size = Number(byId("size").value);
  const pages = Math.max(1, Math.ceil(state.rows.length / size));
  state.page = Math.min(state.page, pages - 1);
  const rows = state.rows.slice(state.page * size, (state.page + 1) * size).map((i) => {
    const row = make("tr");
    row.append(...columns.map((c) => cellOf(c, i)));
    return row;
  });
  table.tBodies[0].replaceChildren(...rows);
  byId("page").textContent = `Page ${state.page + 1} of ${pages}`;
  byId("previous").disabled = state.page === 0;
  byId("next").disabled = state.page >= pages - 1;
  byId("matches").textContent = `${state.rows.length} of ${ids.length} genes`;
  for (const head of table.tHead.querySelectorAll("th[data-key]")) {
    const order = state.descending ? "descending" : "ascending";
    if (head.dataset.key === state.key) head.setAttribute("aria-sort", order);
    else head.removeAttribute("aria-sort");
  }
};
const compare = (values, sign) => (a, b) => {
  const x = values[a], y = values[b];
  const missing = (v) => v === null || v === "";
  // rows without a value come last in either order; equal rows keep their rank
  if (missing(x) || missing(y)) return missing(x) - missing(y) || a - b;
  return (typeof x === "string" ? x.localeCompare(y) : x - y) * sign || a - b;
};
const arrange = () => {
  const words = byId("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = (id) => (byId(id) ? byId(id).value : "");
  const tier = chosen("by-tier"), known = chosen("by-known"), drugs = chosen("by-drugs");
  const [layer, change] = chosen("by-layer").split(" ");
  const explained = byId("only-explained") && byId("only-explained").checked;
  const effect = layer ? column[`effect${layer}`] : null, q = layer ? column[`q${layer}`] : null;
  const inLayer = (i) => {
    if (!effect) return true;
    if (change === "missing") return effect[i] === null;
    const clear = effect[i] !== null && q[i] !== null && q[i] < 0.05;
    return clear && (change === "changed" || (change === "up") === effect[i] > 0);
  };
  const drugged = (i) => !drugs || (drugs === "some" ? column.drugs[i] || (column.status && column.status[i] && column.status[i] !== "novel")
    : drugs === "none" ? !column.drugs[i] && !(column.status && column.status[i] && column.status[i] !== "novel")
    : column.status[i] === drugs.slice(3));
  state.rows = ids.map((_, i) => i).filter((i) =>
    words.every((word) => haystack[i].includes(word)) &&
    (!tier || column.tier[i] === tier) && inLayer(i) && drugged(i) &&
    (!known || (known === "known") === Boolean(column.known[i])) && !(explained && !anchors[i]));
  state.rows.sort(compare(column[state.key], state.descending ? -1 : 1));
  state.page = 0;
  render();
};
const groups = make("tr", "", "groups");
const heads = make("tr");
let last = null;
for (const c of columns) {
  if (c.group && last && last.textContent === c.group) last.colSpan += 1;
  else {
    last = make(c.group ? "th" : "td", c.group || "");
    if (c.group) last.scope = "colgroup";
    groups.append(last);
  }
  const head = make("th", "", ["symbol", "text", "flag", "tier"].includes(c.kind) ? "" : "num");
  const button = make("button", c.label);
  button.type = "button";
  button.addEventListener("click", () => {
    const upFirst = ["rank", "symbol", "ranks", "rank_without_family", "drugs", "tier", "status"].includes(c.key) || c.kind === "q";
    state.descending = state.key === c.key ? !state.descending : !upFirst;
    state.key = c.key;
    arrange();
  });
  head.scope = "col";
  head.dataset.key = c.key;
  head.append(button);
  heads.append(head);
}
table.tHead.append(groups, heads);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", arrange);
// the controls change after their form has told so
byId("filters").addEventListener("reset", () => setTimeout(() => {
  Object.assign(state, { key: "rank", descending: false });
  arrange();
}));
byId("size").addEventListener("change", render);
byId("previous").addEventListener("click", () => { state.page -= 1; render(); });
byId("next").addEventListener("click", () => { state.page += 1; render(); });
arrange();

// ---- subgraphs: drawn when first seen
const palette = () => figures.palette();
const mounted = new Map();
const mount = (place) => {
  const subgraphs = data.networks[Number(place.dataset.network)];
  if (!subgraphs || mounted.has(place)) return;
  const choices = place.parentElement.querySelectorAll("[data-subgraph]");
  let shown = 0;
  const network = new networks.Network(place, {
    name: () => `${place.dataset.name} subgraph ${shown + 1}`,
    sources: data.sources,
    palette,
    light: data.palettes.light,
  });
  network.show(subgraphs[0]);
  mounted.set(place, network);
  for (const [k, choice] of choices.entries()) {
    choice.addEventListener("click", () => {
      shown = k;
      for (const one of choices) one.setAttribute("aria-pressed", String(one === choice));
      network.show(subgraphs[k]);
    });
  }
};
figures.onTheme((colours) => mounted.forEach((network) => network.colour(colours)));

// ---- one target at a time
const articles = [...document.querySelectorAll("article.target")];
const links = [...document.querySelectorAll("#chooser a")];
const choose = (anchor) => {
  const chosen = articles.find((article) => article.id === anchor);
  if (!chosen) return null;
  for (const article of articles) article.hidden = article !== chosen;
  for (const link of links) {
    link.setAttribute("aria-current", String(link.getAttribute("href") === `#${anchor}`));
  }
  for (const place of chosen.querySelectorAll(".plot")) if (!drawn.has(place)) draw(place);
  for (const place of chosen.querySelectorAll(".network")) mount(place);
  return chosen;
};
const follow = () => {
  const anchor = decodeURIComponent(location.hash.slice(1));
  const chosen = anchor.startsWith("target-") ? choose(anchor) : null;
  if (chosen) {
    byId("explanations").scrollIntoView();
    byId(`${anchor}-title`).focus({ preventScroll: true });
  }
};
for (const [k, link] of links.entries()) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const anchor = link.getAttribute("href").slice(1);
    history.replaceState(null, "", `#${anchor}`);
    choose(anchor);
  });
  link.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = links[(k + step + links.length) % links.length];
    next.focus();
    next.click();
  });
}
window.addEventListener("hashchange", follow);
if (links.length) choose(links[0].getAttribute("href").slice(1));
follow();
})();
