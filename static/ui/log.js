// <run-log>: follows the log of a run. The lines already in the page are a plain list; this adds the new ones.
//
//   data-url      GET ?after=n answers {"lines": [{n, t, l, s, x}], "next": n, "state": "…", "done": bool}
//   data-after    the number of the last line in the page
//   data-done     present when the run has ended: nothing is asked for
//   data-stream   optional: the same lines as server-sent events "line", closed by "end"
//   data-text-*   words of the state: live, retry, finished
"use strict";

(() => {
  const POLL_MS = 1000;
  const LONGEST_MS = 30000;
  const STREAM_FAILURES = 4;
  const KEPT_LINES = 5000;
  /** Closer to the end than this counts as being there. */
  const END_PX = 24;

  function cell(className, text) {
    const span = document.createElement("span");
    span.className = className;
    span.textContent = text;
    return span;
  }

  /** Text of a log is foreign: it enters the page as text only. */
  function lineElement({ n, t, l, s, x }) {
    const item = document.createElement("li");
    item.id = `L${n}`;
    item.dataset.l = l;
    const link = document.createElement("a");
    link.href = `#L${n}`;
    link.tabIndex = -1;
    link.textContent = n;
    const number = cell("ln", "");
    number.append(link);
    item.append(number, cell("ts", t), cell("lv", l.toUpperCase()), cell("sp", s), cell("tx", x));
    return item;
  }

  class RunLog extends HTMLElement {
    connectedCallback() {
      this.view = this.querySelector(".log-view");
      this.list = this.querySelector("ol");
      this.live = this.querySelector("[data-live]");
      this.button = this.querySelector("[data-follow]");
      this.level = this.querySelector("[data-level]");
      this.find = this.querySelector("[data-find]");
      this.last = Number(this.dataset.after) || 0;
      this.failures = 0;
      this.finished = "done" in this.dataset;
      this.listen();
      this.setFollow(!this.finished && !location.hash);
      if (!this.finished) this.start();
    }

    disconnectedCallback() {
      this.stop();
      document.removeEventListener("visibilitychange", this.onVisibility);
    }

    listen() {
      this.button?.addEventListener("click", () => this.setFollow(!this.follow));
      this.level?.addEventListener("change", () => this.filter());
      this.find?.addEventListener("input", () => this.filter());
      this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
      this.onVisibility = () => (document.hidden ? this.stop() : this.start());
      document.addEventListener("visibilitychange", this.onVisibility);
    }

    // ---- Where new lines come from ----

    start() {
      if (this.finished) return;
      this.stop();
      if (this.dataset.stream && this.failures < STREAM_FAILURES) this.openStream();
      else this.poll();
    }

    stop() {
      this.source?.close();
      clearTimeout(this.timer);
    }

    openStream() {
      this.source = new EventSource(`${this.dataset.stream}?after=${this.last}`);
      this.source.onopen = () => {
        this.failures = 0;
        this.show("on", "live");
      };
      this.source.onerror = () => {
        this.show("retry", "retry");
        this.failures += 1;
        if (this.failures >= STREAM_FAILURES) this.start();
      };
      this.source.addEventListener("line", (event) => this.add([JSON.parse(event.data)]));
      this.source.addEventListener("end", () => this.finish());
    }

    async poll() {
      try {
        const answer = await fetch(`${this.dataset.url}?after=${this.last}`, {
          headers: { Accept: "application/json" },
        });
        if (!answer.ok) throw new Error(String(answer.status));
        const page = await answer.json();
        this.failures = 0;
        this.add(page.lines);
        this.last = Math.max(this.last, page.next);
        if (page.done) return this.finish();
        this.show("on", "live");
      } catch {
        this.failures += 1;
        this.show("retry", "retry");
      }
      const wait = Math.min(POLL_MS * 2 ** this.failures, LONGEST_MS);
      if (!document.hidden && this.isConnected) this.timer = setTimeout(() => this.poll(), wait);
    }

    finish() {
      this.finished = true;
      this.stop();
      this.show("off", "finished");
      htmx.trigger(document.body, "run:finished");
    }

    show(state, word) {
      if (!this.live || this.live.dataset.s === state) return;
      this.live.dataset.s = state;
      this.live.textContent = this.live.getAttribute(`data-text-${word}`);
    }

    // ---- What is shown ----

    add(lines) {
      const fresh = lines.filter((line) => line.n > this.last);
      if (!fresh.length) return;
      this.last = fresh[fresh.length - 1].n;
      const elements = fresh.map(lineElement);
      elements.forEach((element) => (element.hidden = this.isFiltered(element)));
      this.list.append(...elements);
      while (this.list.children.length > KEPT_LINES) this.list.firstElementChild.remove();
      if (this.follow) this.toEnd();
    }

    isFiltered(item) {
      const level = this.level?.value || "";
      const wanted = (this.find?.value || "").toLowerCase();
      if (level === "warn" && !/^(warn|error)$/.test(item.dataset.l)) return true;
      if (level === "error" && item.dataset.l !== "error") return true;
      return wanted !== "" && !item.textContent.toLowerCase().includes(wanted);
    }

    filter() {
      for (const item of this.list.children) item.hidden = this.isFiltered(item);
      if (this.follow) this.toEnd();
    }

    // ---- Following the end ----

    setFollow(follow) {
      this.follow = follow;
      this.button?.setAttribute("aria-pressed", follow);
      if (follow) this.toEnd();
    }

    toEnd() {
      this.ownScroll = true;
      this.view.scrollTop = this.view.scrollHeight;
    }

    scrolled() {
      const { scrollHeight, scrollTop, clientHeight } = this.view;
      const atEnd = scrollHeight - scrollTop - clientHeight < END_PX;
      if (!this.ownScroll && atEnd !== this.follow) this.setFollow(atEnd);
      this.ownScroll = false;
    }
  }

  customElements.define("run-log", RunLog);
})();
