// The lineage graph: an SVG of links laid out by the server. This adds zoom, drag, arrow keys and highlighting.
//
//   svg[data-dag]  with .node (data-id, data-up="ids", data-dn="ids") and .edge (data-a, data-b)
//   [data-zoom="in|out|fit"] buttons anywhere in the frame around the canvas
"use strict";

(() => {
  const SMALLEST = 0.35;
  const LARGEST = 1.6;
  /** Below this the names cannot be read: rather scroll than fit. */
  const READABLE = 0.66;
  const KEYS = { ArrowLeft: "up", ArrowRight: "dn" };

  class Graph {
    constructor(svg) {
      this.svg = svg;
      this.canvas = svg.parentElement;
      this.nodes = new Map([...svg.querySelectorAll(".node")].map((node) => [node.dataset.id, node]));
      this.edges = [...svg.querySelectorAll(".edge")];
      this.width = Number(svg.getAttribute("width"));
      this.height = Number(svg.getAttribute("height"));
      this.scale = 1;
      this.listenToNodes();
      this.listenToCanvas();
      this.zoom(Math.max(this.current() ? 0.9 : READABLE, this.fitting()));
      if (this.current()) this.centre(this.current());
      this.rest();
    }

    current() {
      return this.svg.querySelector(".node[aria-current]");
    }

    neighbours(id, side) {
      return (this.nodes.get(id)?.dataset[side] || "").split(" ").filter(Boolean);
    }

    /** Everything reachable from a node on one side, the node included. */
    reach(id, side) {
      const found = new Set([id]);
      const waiting = [id];
      while (waiting.length) {
        for (const next of this.neighbours(waiting.pop(), side)) {
          if (found.has(next)) continue;
          found.add(next);
          waiting.push(next);
        }
      }
      return found;
    }

    // ---- Highlighting ----

    light(id, dim) {
      const up = this.reach(id, "up");
      const down = this.reach(id, "dn");
      const inside = (set, edge) => set.has(edge.dataset.a) && set.has(edge.dataset.b);
      this.svg.dataset.focus = id;
      this.svg.toggleAttribute("data-dim", dim);
      this.nodes.forEach((node, key) => node.toggleAttribute("data-on", up.has(key) || down.has(key)));
      this.edges.forEach((edge) => edge.toggleAttribute("data-on", inside(up, edge) || inside(down, edge)));
    }

    rest() {
      const current = this.current();
      if (current) return this.light(current.dataset.id, false);
      delete this.svg.dataset.focus;
      this.svg.removeAttribute("data-dim");
      this.edges.forEach((edge) => edge.removeAttribute("data-on"));
    }

    select(node) {
      this.nodes.forEach((other) => other.removeAttribute("aria-current"));
      node.setAttribute("aria-current", "true");
    }

    // ---- Size and place ----

    fitting() {
      return Math.min(1, this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height);
    }

    /** Zooms around the middle of what is seen. */
    zoom(wanted) {
      const { canvas } = this;
      const x = (canvas.scrollLeft + canvas.clientWidth / 2) / this.scale;
      const y = (canvas.scrollTop + canvas.clientHeight / 2) / this.scale;
      this.scale = Math.max(SMALLEST, Math.min(LARGEST, wanted));
      this.svg.setAttribute("width", Math.round(this.width * this.scale));
      this.svg.setAttribute("height", Math.round(this.height * this.scale));
      canvas.scrollLeft = x * this.scale - canvas.clientWidth / 2;
      canvas.scrollTop = y * this.scale - canvas.clientHeight / 2;
    }

    centre(node) {
      const box = node.getBBox();
      this.canvas.scrollLeft = (box.x + box.width / 2) * this.scale - this.canvas.clientWidth / 2;
      this.canvas.scrollTop = (box.y + box.height / 2) * this.scale - this.canvas.clientHeight / 2;
    }

    // ---- Events ----

    listenToNodes() {
      this.nodes.forEach((node, id) => {
        const light = () => this.light(id, true);
        const rest = () => this.rest();
        node.addEventListener("pointerenter", light);
        node.addEventListener("focus", light);
        node.addEventListener("pointerleave", rest);
        node.addEventListener("blur", rest);
        node.addEventListener("click", () => this.select(node));
      });
      this.svg.addEventListener("keydown", (event) => {
        const id = event.target.closest(".node")?.dataset.id;
        const [next] = KEYS[event.key] && id ? this.neighbours(id, KEYS[event.key]) : [];
        if (!next) return;
        event.preventDefault();
        this.nodes.get(next)?.focus();
      });
    }

    listenToCanvas() {
      const { canvas } = this;
      canvas.parentElement.addEventListener("click", (event) => {
        const button = event.target.closest("[data-zoom]");
        if (!button) return;
        const scales = { in: this.scale * 1.2, out: this.scale / 1.2, fit: this.fitting() };
        this.zoom(scales[button.dataset.zoom]);
      });
      canvas.addEventListener(
        "wheel",
        (event) => {
          if (!event.ctrlKey && !event.metaKey) return;
          event.preventDefault();
          this.zoom(event.deltaY < 0 ? this.scale * 1.1 : this.scale / 1.1);
        },
        { passive: false },
      );
      this.listenToDrag();
    }

    listenToDrag() {
      const { canvas } = this;
      let from = null;
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button || event.target.closest(".node")) return;
        from = { x: event.clientX + canvas.scrollLeft, y: event.clientY + canvas.scrollTop };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!from) return;
        canvas.scrollLeft = from.x - event.clientX;
        canvas.scrollTop = from.y - event.clientY;
      });
      const end = () => (from = null);
      canvas.addEventListener("pointerup", end);
      canvas.addEventListener("pointercancel", end);
    }
  }

  const draw = (root) =>
    root.querySelectorAll("[data-dag]:not([data-drawn])").forEach((svg) => {
      svg.dataset.drawn = "";
      new Graph(svg);
    });

  draw(document);
  document.addEventListener("htmx:afterSettle", () => draw(document));
})();
