// Draws subgraphs as SVG: drag, zoom, lasso, keyboard, details with sources, and exports.
const networks = (() => {
const NS = "http://www.w3.org/2000/svg";
const Z_LIMIT = 4;
const minus = (text) => String(text).replace("-", "−");
const signed = (value, digits = 3) =>
  value === null || value === undefined ? "–" : minus((value > 0 ? "+" : "") + value.toFixed(digits));
const make = (name, text, className) => {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const draw = (name, attributes = {}, text = "") => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
};
const parts = (colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
const mixed = (from, to, share) => {
  const a = parts(from), b = parts(to);
  return `#${a.map((v, k) => Math.round(v + (b[k] - v) * share).toString(16).padStart(2, "0")).join("")}`;
};
const fillOf = (z, palette) => {
  if (z === null) return palette.surface;
  const share = Math.max(-1, Math.min(1, z / Z_LIMIT));
  return mixed(palette.neutral, share >= 0 ? palette.positive : palette.negative, Math.abs(share));
};
const button = (text, label, act) => {
  const made = make("button", text);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
};
const save = (name, type, content) => {
  const link = make("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const safe = (text) => text.replace(/[^\w.-]+/g, "_").slice(0, 60) || "subgraph";
const inside = (x, y, loop) => {
  let within = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i, i += 1) {
    const [ax, ay] = loop[i], [bx, by] = loop[j];
    if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
};

class Network {
  // options: name of the files, sources by name, palette(): the colours of now
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.view = { k: 1, x: 0, y: 0 };
    this.mode = "pan";
    const bar = make("div", "", "tools");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Subgraph");
    this.lassoButton = button("Lasso", "Draw a loop around nodes to choose them", () => this.lassoing(this.mode !== "lasso"));
    this.lassoButton.setAttribute("aria-pressed", "false");
    this.keepButton = button("Keep chosen", "Show the chosen nodes only", () => this.keep());
    this.hideButton = button("Hide chosen", "Hide the chosen nodes", () => this.hide());
    bar.append(
      button("+", "Zoom in", () => this.zoom(1.25)),
      button("−", "Zoom out", () => this.zoom(0.8)),
      button("Reset", "Show all, where it was", () => this.reset()),
      this.lassoButton, this.keepButton, this.hideButton,
      make("span", "Export", "label"),
      button("PNG", "Export what is seen as PNG picture", () => this.exportPng()),
      button("SVG", "Export what is seen as SVG picture", () => this.exportSvg()),
      button("TSV", "Export what is seen as table for Excel", () => this.exportTsv()),
      button("GraphML", "Export what is seen as GraphML for NetworkX, Gephi or Cytoscape", () => this.exportGraphml()),
      button("CX2", "Export what is seen as CX2 for Cytoscape or NDEx", () => this.exportCx2()),
    );
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const all = [...bar.querySelectorAll("button:not(:disabled)")];
      all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
    });
    this.svg = draw("svg", { role: "group", class: "drawing" });
    this.world = draw("g");
    this.loop = draw("path", { class: "lasso", fill: "none" });
    this.svg.append(this.world, this.loop);
    this.tip = make("div", "", "tip");
    this.tip.setAttribute("aria-hidden", "true");
    this.detail = make("div", "", "detail");
    this.detail.setAttribute("role", "region");
    this.detail.setAttribute("aria-live", "polite");
    this.detail.setAttribute("aria-label", "Details");
    const canvas = make("div", "", "canvas");
    canvas.append(this.svg, this.tip);
    const split = make("div", "", "split");
    split.append(canvas, this.detail);
    host.replaceChildren(bar, split);
    this.listen();
  }

  show(net, keepPlaces = false) {
    const before = keepPlaces && this.net
      ? new Map(this.net.nodes.map((n) => [n.id, [n.x, n.y]])) : new Map();
    this.start = net;
    this.net = {
      ...net,
      nodes: net.nodes.map((n) => {
        const [x, y] = before.get(n.id) || [n.x, n.y];
        return { ...n, x, y, hidden: false, chosen: false };
      }),
      edges: net.edges.map((e) => ({ ...e })),
    };
    this.view = { k: 1, x: 0, y: 0 };
    this.svg.setAttribute("viewBox", `0 0 ${net.width} ${net.height}`);
    const target = net.nodes.find((n) => n.target);
    this.svg.setAttribute("aria-label",
      `Subgraph of ${target ? target.label : "the target"}: ${net.nodes.length} nodes and ` +
      `${net.edges.length} edges. Arrow keys go from node to node, Shift and arrow keys move one, ` +
      "Enter chooses it, plus and minus zoom, Delete hides what is chosen.");
    this.build();
    this.tell(null);
  }

  build() {
    const { nodes, edges } = this.net;
    this.most = Math.max(...edges.map((e) => Math.abs(e.part || 0)), 1e-12);
    this.lines = edges.map((edge) => {
      const group = draw("g", { class: "edge" });
      edge.parts = {
        line: draw("line"), hit: draw("line", { class: "hit", stroke: "transparent", "stroke-width": 16 }),
        end: edge.directed ? draw(edge.lowers ? "line" : "polygon") : null,
      };
      group.append(edge.parts.line, ...(edge.parts.end ? [edge.parts.end] : []), edge.parts.hit);
      group.addEventListener("pointerenter", (event) => this.point(edge, event));
      group.addEventListener("pointerleave", () => this.unpoint());
      group.addEventListener("click", () => this.tell(edge));
      edge.group = group;
      return group;
    });
    this.marks = nodes.map((node, k) => {
      const group = draw("g", {
        class: "node", role: "button", tabindex: node.target ? "0" : "-1", "aria-pressed": "false",
        "aria-label": this.named(node),
      });
      group.dataset.node = String(k);
      node.group = group;
      if (node.known) node.ring = draw("circle", { r: node.r + 5, "stroke-width": 1.3 });
      node.shape = this.shapeOf(node);
      // direction in a second way than by colour
      node.arrow = draw("text", { "text-anchor": "middle", "font-size": 12, class: "arrow" },
        node.z === null || Math.abs(node.z) < 2 ? "" : node.z > 0 ? "▲" : "▼");
      node.text = draw("text", {
        "text-anchor": "middle", "font-size": node.target ? 15 : 13,
        "font-weight": node.target ? 700 : node.kind === "gene" ? 600 : 400,
        "paint-order": "stroke", "stroke-width": 4, "stroke-linejoin": "round",
      });
      node.text.append(...node.lines.map((line) => draw("tspan", {}, line)));
      group.append(...(node.ring ? [node.ring] : []), node.shape, node.arrow, node.text);
      group.addEventListener("pointerenter", (event) => this.point(node, event));
      group.addEventListener("pointerleave", () => this.unpoint());
      group.addEventListener("focus", () => this.light(node));
      group.addEventListener("blur", () => this.unpoint());
      return group;
    });
    this.world.replaceChildren(...this.lines, ...this.marks);
    this.place();
    this.colour(this.options.palette());
  }

  shapeOf(node) {
    if (node.kind === "gene") return draw("circle", { r: node.r });
    const r = node.r * 0.92;
    if (node.kind === "pathway") return draw("rect", { width: 2 * r, height: 2 * r, x: -r, y: -r, rx: 5 });
    const corner = (k) => `${node.r * Math.cos((k * Math.PI) / 3)},${node.r * Math.sin((k * Math.PI) / 3)}`;
    return draw("polygon", { points: [0, 1, 2, 3, 4, 5].map(corner).join(" ") });
  }

  named(node) {
    const words = [node.label, node.kind];
    if (node.target) words.push("the target");
    if (node.known) words.push("known target");
    if (node.z !== null) words.push(`strongest z ${signed(node.z, 1)}`);
    words.push(`part of the score ${signed(node.part)}`);
    return words.join(", ");
  }

  // ---- geometry and colour
  place() {
    const { nodes, edges } = this.net;
    const { k, x, y } = this.view;
    this.world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    for (const node of nodes) {
      node.group.style.display = node.hidden ? "none" : "";
      node.group.setAttribute("transform", `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`);
      node.arrow.setAttribute("y", 4);
      const ring = node.known ? 5 : 0;
      const first = node.above ? -node.r - ring - 7 - 15 * (node.lines.length - 1) : node.r + ring + 16;
      [...node.text.children].forEach((span, line) => {
        span.setAttribute("x", 0);
        span.setAttribute("y", first + 15 * line);
      });
    }
    for (const edge of edges) {
      const a = nodes[edge.a], b = nodes[edge.b];
      edge.group.style.display = a.hidden || b.hidden ? "none" : "";
      const dx = b.x - a.x, dy = b.y - a.y, far = Math.hypot(dx, dy) || 1;
      const ux = dx / far, uy = dy / far;
      const gap = b.r + (b.known ? 5 : 0) + (edge.directed ? 5 : 0);
      const stop = gap + (edge.directed ? 6 : 0);
      const ends = { x1: a.x + ux * a.r, y1: a.y + uy * a.r, x2: b.x - ux * stop, y2: b.y - uy * stop };
      for (const line of [edge.parts.line, edge.parts.hit]) {
        for (const [key, value] of Object.entries(ends)) line.setAttribute(key, value.toFixed(1));
      }
      if (!edge.parts.end) continue;
      const ex = b.x - ux * gap, ey = b.y - uy * gap;
      if (edge.lowers) {
        const bar = { x1: ex - uy * 7, y1: ey + ux * 7, x2: ex + uy * 7, y2: ey - ux * 7 };
        for (const [key, value] of Object.entries(bar)) edge.parts.end.setAttribute(key, value.toFixed(1));
        edge.parts.end.setAttribute("stroke-width", 3);
      } else {
        const bx = ex - ux * 11, by = ey - uy * 11;
        const at = (px, py) => `${px.toFixed(1)},${py.toFixed(1)}`;
        edge.parts.end.setAttribute("points",
          `${at(ex, ey)} ${at(bx - uy * 5.5, by + ux * 5.5)} ${at(bx + uy * 5.5, by - ux * 5.5)}`);
      }
    }
  }

  colour(palette) {
    this.painted = palette;
    for (const node of this.net.nodes) {
      node.shape.setAttribute("fill", fillOf(node.z, palette));
      node.shape.setAttribute("stroke", node.chosen ? palette.warn : node.target ? palette.accent : palette.muted);
      node.shape.setAttribute("stroke-width", node.chosen || node.target ? 4 : 1.4);
      if (node.chosen) node.shape.setAttribute("stroke-dasharray", "5 3");
      else node.shape.removeAttribute("stroke-dasharray");
      if (node.ring) {
        node.ring.setAttribute("fill", palette.surface);
        node.ring.setAttribute("stroke", palette.ink);
      }
      node.arrow.setAttribute("fill", palette.ink);
      node.text.setAttribute("fill", palette.ink);
      node.text.setAttribute("stroke", palette.surface);
      node.group.setAttribute("aria-pressed", String(node.chosen));
    }
    for (const edge of this.net.edges) {
      const raises = (edge.part || 0) >= 0;
      const width = 1.2 + 5 * Math.sqrt(Math.abs(edge.part || 0) / this.most);
      const colour = raises ? palette.positive : palette.negative;
      edge.parts.line.setAttribute("stroke", colour);
      edge.parts.line.setAttribute("stroke-width", width.toFixed(1));
      edge.parts.line.setAttribute("stroke-opacity", 0.75);
      if (!raises) edge.parts.line.setAttribute("stroke-dasharray", `${(2 * width + 3).toFixed(1)} ${(width + 3).toFixed(1)}`);
      if (edge.parts.end) edge.parts.end.setAttribute(edge.lowers ? "stroke" : "fill", colour);
    }
    this.loop.setAttribute("stroke", palette.warn);
    const chosen = this.net.nodes.some((n) => n.chosen);
    this.keepButton.disabled = this.hideButton.disabled = !chosen;
  }

  // ---- pointer and keyboard
  spot(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return [at.x, at.y];
  }

  listen() {
    let held = null;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.net) return;
      const group = event.target.closest(".node");
      const [x, y] = this.spot(event);
      const lasso = !group && (this.mode === "lasso" || event.shiftKey);
      const node = group ? this.net.nodes[Number(group.dataset.node)] : null;
      held = { node, x, y, from: { ...this.view }, was: node && [node.x, node.y], moved: false,
        loop: lasso ? [[x, y]] : null, edge: event.target.closest(".edge") };
      if (!held.edge || lasso) this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [x, y] = this.spot(event);
      if (Math.hypot(x - held.x, y - held.y) > 4) held.moved = true;
      if (!held.moved) return;
      if (held.loop) {
        held.loop.push([x, y]);
        this.loop.setAttribute("d", `M${held.loop.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}Z`);
      } else if (held.node) {
        held.node.x = held.was[0] + (x - held.x) / this.view.k;
        held.node.y = held.was[1] + (y - held.y) / this.view.k;
        this.unpoint();
        this.place();
      } else {
        this.view.x = held.from.x + x - held.x;
        this.view.y = held.from.y + y - held.y;
        this.place();
      }
    });
    const release = (event) => {
      if (!held) return;
      const { node, moved, loop } = held;
      held = null;
      this.loop.removeAttribute("d");
      if (loop && moved) {
        const { k, x, y } = this.view;
        const world = loop.map(([px, py]) => [(px - x) / k, (py - y) / k]);
        for (const one of this.net.nodes) one.chosen = !one.hidden && inside(one.x, one.y, world);
        this.chosen();
      } else if (node && !moved) {
        if (event.shiftKey || event.ctrlKey) {
          node.chosen = !node.chosen;
          this.chosen();
        } else this.tell(node);
        node.group.focus({ preventScroll: true });
      }
    };
    this.svg.addEventListener("pointerup", release);
    this.svg.addEventListener("pointercancel", () => { held = null; this.loop.removeAttribute("d"); });
    // a plain wheel goes on scrolling the page
    this.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, this.spot(event));
    }, { passive: false });
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const group = event.target.closest(".node");
    const node = group && this.net.nodes[Number(group.dataset.node)];
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way && node && event.shiftKey) {
      node.x += 14 * way[0];
      node.y += 14 * way[1];
      this.place();
    } else if (way && node) this.step(node, way);
    else if ((event.key === "Enter" || event.key === " ") && node) {
      node.chosen = !node.chosen;
      this.colour(this.painted);
      this.tell(node);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.reset();
    else if (event.key === "Delete") this.hide();
    else if (event.key === "Escape") {
      for (const one of this.net.nodes) one.chosen = false;
      this.chosen();
    } else return;
    event.preventDefault();
  }

  step(node, [dx, dy]) {
    let best = null, least = Infinity;
    for (const other of this.net.nodes) {
      if (other === node || other.hidden) continue;
      const along = (other.x - node.x) * dx + (other.y - node.y) * dy;
      const beside = Math.abs((other.x - node.x) * dy) + Math.abs((other.y - node.y) * dx);
      if (along > 1 && along + 2 * beside < least) [best, least] = [other, along + 2 * beside];
    }
    if (!best) return;
    for (const one of this.net.nodes) one.group.setAttribute("tabindex", one === best ? "0" : "-1");
    best.group.focus({ preventScroll: true });
  }

  zoom(factor, at = [this.net.width / 2, this.net.height / 2]) {
    const k = Math.max(0.3, Math.min(6, this.view.k * factor));
    const change = k / this.view.k;
    this.view = { k, x: at[0] - (at[0] - this.view.x) * change, y: at[1] - (at[1] - this.view.y) * change };
    this.place();
  }

  reset() {
    this.lassoing(false);
    this.net = null;
    this.show(this.start);
  }

  lassoing(on) {
    this.mode = on ? "lasso" : "pan";
    this.lassoButton.setAttribute("aria-pressed", String(on));
    this.svg.classList.toggle("lassoing", on);
  }

  keep() {
    for (const node of this.net.nodes) node.hidden = node.hidden || !node.chosen;
    this.afterHiding();
  }

  hide() {
    if (!this.net.nodes.some((n) => n.chosen)) return;
    for (const node of this.net.nodes) node.hidden = node.hidden || node.chosen;
    this.afterHiding();
  }

  afterHiding() {
    for (const node of this.net.nodes) node.chosen = false;
    const first = this.net.nodes.find((n) => !n.hidden);
    for (const node of this.net.nodes) node.group.setAttribute("tabindex", node === first ? "0" : "-1");
    this.place();
    this.chosen();
  }

  // ---- what is told
  light(thing) {
    const near = new Set();
    if (thing && thing.group) {
      for (const edge of this.net.edges) {
        const ends = [this.net.nodes[edge.a], this.net.nodes[edge.b]];
        if (edge === thing || ends.includes(thing)) [edge, ...ends].forEach((one) => near.add(one));
      }
      near.add(thing);
    }
    for (const one of [...this.net.nodes, ...this.net.edges]) {
      one.group.classList.toggle("dim", near.size > 0 && !near.has(one));
    }
  }

  point(thing, event) {
    this.light(thing);
    const { nodes } = this.net;
    this.tip.textContent = thing.relation
      ? `${nodes[thing.a].label} ${thing.relation} ${nodes[thing.b].label}: ${signed(thing.part)}`
      : `${thing.label} · ${thing.kind}: ${signed(thing.part)}`;
    const box = this.svg.getBoundingClientRect();
    this.tip.style.left = `${Math.min(event.clientX - box.left + 14, box.width - 180)}px`;
    this.tip.style.top = `${event.clientY - box.top + 14}px`;
    this.tip.classList.add("on");
  }

  unpoint() {
    this.light(null);
    this.tip.classList.remove("on");
  }

  chosen() {
    this.colour(this.painted);
    const some = this.net.nodes.filter((n) => n.chosen && !n.hidden);
    if (!some.length) return this.tell(null);
    const sum = some.reduce((total, n) => total + (n.part || 0), 0);
    const within = this.net.edges.filter((e) => this.net.nodes[e.a].chosen && this.net.nodes[e.b].chosen);
    const along = within.reduce((total, e) => total + (e.part || 0), 0);
    this.detail.replaceChildren(
      make("h5", `${some.length} node${some.length === 1 ? "" : "s"} chosen`),
      make("p", some.map((n) => n.label).join(", ")),
      make("p", `Nodes ${signed(sum)}, the ${within.length} edges between them ${signed(along)} of the score.`),
    );
    return null;
  }

  tell(thing) {
    if (!thing) {
      const seen = this.net.nodes.filter((n) => !n.hidden).length;
      const hint = make("p", "Point at a node or an edge, or choose one, for its numbers, sources and papers. Drag moves a node, Ctrl and wheel zoom, Shift and drag draw a lasso.", "small");
      this.detail.replaceChildren(make("h5", `${seen} nodes`), hint);
    } else if (thing.relation) this.detail.replaceChildren(...this.edgeFacts(thing));
    else this.detail.replaceChildren(...this.nodeFacts(thing));
  }

  nodeFacts(node) {
    const list = make("dl");
    const row = (name, value) => list.append(make("dt", name), make("dd", value));
    row("part of the score", `${signed(node.part)} SD`);
    for (const [name, value] of node.facts) row(name, value);
    const edges = make("ul", "", "edges");
    for (const edge of this.net.edges) {
      const ends = [this.net.nodes[edge.a], this.net.nodes[edge.b]];
      if (!ends.includes(node) || ends.some((n) => n.hidden)) continue;
      const item = make("li");
      item.append(button(`${ends[0].label} ${edge.relation} ${ends[1].label} (${signed(edge.part)})`,
        "Show the sources of this edge", () => this.tell(edge)));
      edges.append(item);
    }
    const kind = `${node.kind}${node.known ? ", known target" : ""}${node.id === node.label ? "" : ` · ${node.id}`}`;
    const found = [make("h5", node.label), make("p", kind, "small"), list];
    if (edges.children.length) found.push(make("p", "Edges", "small"), edges);
    return found;
  }

  edgeFacts(edge) {
    const { nodes } = this.net;
    const list = make("dl");
    const row = (name, ...value) => {
      const cell = make("dd");
      cell.append(...value);
      list.append(make("dt", name), cell);
    };
    row("part of the score", `${signed(edge.part)} SD`);
    row("weight", edge.weight === null ? "–" : String(edge.weight));
    if (edge.mechanism) row("mechanism", edge.mechanism);
    if (edge.kind) row("evidence", edge.kind);
    if (edge.date) row("first reported", edge.date);
    for (const name of edge.sources || []) {
      const known = this.options.sources[name] || {};
      row("source", this.linked(name, known.url), ` ${known.release && known.release !== "not stated" ? known.release : ""} · licence ${known.licence || "not stated"}`);
    }
    if (edge.pubmed) {
      const links = edge.pubmed.flatMap((id) => [this.linked(id, `https://pubmed.ncbi.nlm.nih.gov/${id}/`), " "]);
      const more = edge.papers - edge.pubmed.length;
      row("PubMed", ...links, more > 0 ? `and ${more} more` : "");
    }
    const title = `${nodes[edge.a].label} ${edge.relation} ${nodes[edge.b].label}`;
    return [make("h5", title), list];
  }

  linked(text, url) {
    // an address from a file is a link only if it leads to a web page
    if (!/^https?:\/\/[^\s]+$/i.test(url || "")) return document.createTextNode(text);
    const link = make("a", text);
    link.href = url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }

  // ---- exports of what is seen
  seen() {
    const nodes = this.net.nodes.filter((n) => !n.hidden);
    const edges = this.net.edges.filter((e) => !this.net.nodes[e.a].hidden && !this.net.nodes[e.b].hidden);
    return { nodes, edges };
  }

  file(ending) {
    return `${safe(this.options.name())}.${ending}`;
  }

  picture() {
    const before = this.painted;
    this.light(null);
    this.colour(this.options.light);
    const copy = this.svg.cloneNode(true);
    this.colour(before);
    for (const gone of copy.querySelectorAll(".hit, .lasso, [style*='none']")) gone.remove();
    for (const one of copy.querySelectorAll("[tabindex], [role], [data-node]")) {
      for (const key of ["tabindex", "role", "aria-pressed", "data-node", "class"]) one.removeAttribute(key);
    }
    const { width, height } = this.net;
    copy.setAttribute("xmlns", NS);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("font-family", getComputedStyle(document.body).fontFamily.replaceAll('"', "'"));
    copy.prepend(draw("title", {}, this.options.name()), draw("rect", { width, height, fill: this.options.light.surface }));
    return new XMLSerializer().serializeToString(copy);
  }

  exportSvg() {
    save(this.file("svg"), "image/svg+xml", this.picture());
  }

  async exportPng() {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(this.picture())}`;
    await image.decode();
    const canvas = make("canvas");
    canvas.width = 2 * this.net.width;
    canvas.height = 2 * this.net.height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(this.file("png"), "image/png", blob), "image/png");
  }

  rows() {
    const { edges } = this.seen();
    const { nodes } = this.net;
    const licences = (names) => (names || []).map((n) => (this.options.sources[n] || {}).licence || "not stated");
    return edges.map((e) => ({
      source_id: nodes[e.a].id, source: nodes[e.a].label, relation: e.relation,
      target_id: nodes[e.b].id, target: nodes[e.b].label,
      part_of_score_sd: e.part, weight: e.weight, sources: (e.sources || []).join("|"),
      licences: licences(e.sources).join("|"), mechanism: e.mechanism || "",
      evidence_type: e.kind || "", pubmed_ids: (e.pubmed || []).join("|"),
    }));
  }

  exportTsv() {
    const rows = this.rows();
    const columns = rows.length ? Object.keys(rows[0]) : ["source_id", "relation", "target_id"];
    // a cell that begins like a formula would be run by a spreadsheet
    const cell = (value) => {
      const text = String(value ?? "").replace(/[\t\r\n]+/g, " ");
      return typeof value === "string" && /^[=+@-]/.test(text) ? `'${text}` : text;
    };
    const lines = [columns, ...rows.map((r) => columns.map((c) => cell(r[c])))];
    save(this.file("tsv"), "text/tab-separated-values", `${lines.map((l) => l.join("\t")).join("\n")}\n`);
  }

  attributes(node) {
    return {
      symbol: node.label, type: node.kind, part_of_score_sd: node.part, strongest_z: node.z,
      is_target: node.target, is_known: node.known,
    };
  }

  exportGraphml() {
    const { nodes, edges } = this.seen();
    const text = (value) => String(value).replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
      .replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
    const typeOf = (value) => ({ number: "double", boolean: "boolean" })[typeof value] || "string";
    const keys = new Map();
    const fill = (where, values) => Object.entries(values)
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => {
        keys.set(`${where}_${name}`, `<key id="${where}_${name}" for="${where}" attr.name="${name}" attr.type="${typeOf(value)}"/>`);
        return `<data key="${where}_${name}">${text(value)}</data>`;
      }).join("");
    const body = [
      ...nodes.map((n) => `<node id="${text(n.id)}">${fill("node", { ...this.attributes(n), x: n.x, y: n.y })}</node>`),
      ...this.rows().map((r, k) => {
        const { source_id: a, target_id: b, source: _a, target: _b, ...rest } = r;
        return `<edge id="${k}" source="${text(a)}" target="${text(b)}">${fill("edge", rest)}</edge>`;
      }),
    ];
    save(this.file("graphml"), "application/xml",
      '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n' +
      `${[...keys.values()].join("\n")}\n<graph edgedefault="directed">\n${body.join("\n")}\n</graph>\n</graphml>\n`);
  }

  exportCx2() {
    const { nodes } = this.seen();
    const number = new Map(nodes.map((n, k) => [n.id, k]));
    const full = (values) => Object.fromEntries(Object.entries(values)
      .filter(([, v]) => v !== null && v !== undefined && v !== ""));
    const drawn = nodes.map((n, k) => ({ id: k, x: n.x, y: n.y, v: full({ name: n.label, node_id: n.id, ...this.attributes(n) }) }));
    const lines = this.rows().map((r, k) => {
      const { source_id: a, target_id: b, source: _a, target: _b, ...rest } = r;
      return { id: k, s: number.get(a), t: number.get(b), v: full({ interaction: r.relation, ...rest }) };
    });
    const declare = (rows) => {
      const kinds = {};
      for (const row of rows) {
        for (const [key, value] of Object.entries(row)) {
          kinds[key] = kinds[key] || { d: { number: "double", boolean: "boolean" }[typeof value] || "string" };
        }
      }
      return kinds;
    };
    const about = { name: this.options.name() };
    save(this.file("cx2"), "application/json", JSON.stringify([
      { CXVersion: "2.0", hasFragments: false },
      { metaData: ["attributeDeclarations", "networkAttributes", "nodes", "edges"].map((name) => ({
        name, elementCount: { nodes: drawn.length, edges: lines.length }[name] ?? 1 })) },
      { attributeDeclarations: [{ networkAttributes: declare([about]), nodes: declare(drawn.map((n) => n.v)), edges: declare(lines.map((e) => e.v)) }] },
      { networkAttributes: [about] }, { nodes: drawn }, { edges: lines },
      { status: [{ success: true, error: "" }] },
    ]));
  }
}
return { Network, make, button, signed, save };
})();
