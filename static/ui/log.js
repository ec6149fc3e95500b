// <run-log>: shows a part of a run's log, however long it is, and follows its end. The lines in the page are a
// window of at most KEPT_LINES: scrolling loads what stands before and behind, and lets go of the other side.
//
//   data-url      GET ?after=n | ?before=n (0: the end) | ?around=n, with &level= and &q=, answers
//                 {"lines": [{n, t, l, s, x}], "next", "first", "begin", "end", "done"}
//   data-after    the number of the last line in the page; data-first: before which older ones stand
//   data-done     present when the run has ended: nothing is followed
//   data-middle   the lines in the page are not the newest; data-line: the one that was asked for
//   data-stream   optional: new lines as server-sent events "lines", closed by "end"
//   data-text-*   words of the state: live, retry, finished
"use strict";

(() => {
  const POLL_MS = 1000;
  const LONGEST_MS = 30000;
  const STREAM_FAILURES = 4;
  const KEPT_LINES = 2000;
  const TYPING_MS = 250;
  /** Closer to an end than this counts as being there. */
  const END_PX = 24;
  const NEAR_PX = 400;

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
    link.href = `?line=${n}#L${n}`;
    link.tabIndex = -1;
    link.textContent = n;
    const number = cell("ln", "");
    number.append(link);
    item.append(number, cell("ts", t), cell("lv", l.toUpperCase()), cell("sp", s), cell("tx", x));
    return item;
  }

  const numberOf = (item) => (item ? Number(item.id.slice(1)) : 0);

  class RunLog extends HTMLElement {
    connectedCallback() {
      this.view = this.querySelector(".log-view");
      this.list = this.querySelector("ol");
      this.live = this.querySelector("[data-live]");
      this.button = this.querySelector("[data-follow]");
      this.form = this.querySelector("[data-log-filter]");
      this.earlier = this.querySelector("[data-earlier]");
      this.none = this.querySelector("[data-none]");
      this.last = Number(this.dataset.after) || 0;
      this.first = Number(this.dataset.first) || 1;
      this.atTail = !("middle" in this.dataset);
      this.finished = "done" in this.dataset;
      this.failures = 0;
      this.turn = 0;
      this.listen();
      const asked = Number(this.dataset.line) || this.hashLine();
      this.setFollow(!this.finished && !asked && this.atTail);
      if (asked) this.goTo(asked);
      else if (this.first > 1 && this.atTail) this.toEnd();
      if (this.atTail) this.start();
    }

    disconnectedCallback() {
      this.stop();
      document.removeEventListener("visibilitychange", this.onVisibility);
      removeEventListener("hashchange", this.onHash);
    }

    listen() {
      this.button?.addEventListener("click", () => this.pressFollow());
      this.form?.addEventListener("submit", (event) => {
        event.preventDefault();
        this.reset();
      });
      this.form?.addEventListener("input", () => this.typed());
      this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
      this.view.addEventListener("click", (event) => this.clicked(event));
      this.onVisibility = () => (document.hidden ? this.stop() : this.start());
      document.addEventListener("visibilitychange", this.onVisibility);
      this.onHash = () => this.hashLine() && this.goTo(this.hashLine());
      addEventListener("hashchange", this.onHash);
    }

    // ---- Asking ----

    address(base, query) {
      const all = new URLSearchParams(query);
      const level = this.querySelector("[data-level]")?.value;
      const text = this.querySelector("[data-find]")?.value.trim();
      if (level) all.set("level", level);
      if (text) all.set("q", text);
      return `${base}?${all}`;
    }

    /** The answer, or null when something else was asked for meanwhile or the server did not answer. */
    async ask(query) {
      const turn = this.turn;
      try {
        const answer = await fetch(this.address(this.dataset.url, query), {
          headers: { Accept: "application/json" },
        });
        if (!answer.ok) return null;
        const page = await answer.json();
        return turn === this.turn ? page : null;
      } catch {
        return null;
      }
    }

    /** Only one load at a time; the others are asked for again by the next scroll. */
    async alone(work) {
      if (this.busy) return;
      this.busy = true;
      this.view.setAttribute("aria-busy", "true");
      try {
        await work();
      } finally {
        this.busy = false;
        this.view.removeAttribute("aria-busy");
      }
    }

    // ---- Moving the window ----

    /** Older lines; a filter may need several looks until some match. */
    loadOlder() {
      return this.alone(async () => {
        while (this.first > 1 && this.isConnected) {
          const page = await this.ask({ before: this.first });
          if (!page) return;
          this.first = page.begin ? 1 : page.first;
          this.earlier.hidden = page.begin;
          this.prepend(page.lines);
          if (page.lines.length && this.view.scrollTop > NEAR_PX) return;
          if (page.lines.length && this.view.scrollHeight > this.view.clientHeight * 2) return;
        }
      });
    }

    loadNewer() {
      return this.alone(async () => {
        for (let found = false; !found && !this.atTail && this.isConnected; ) {
          const page = await this.ask({ after: this.last });
          if (!page) return;
          found = page.lines.length > 0;
          this.append(page.lines);
          this.last = Math.max(this.last, page.next);
          this.atTail = page.end;
        }
        if (this.atTail) this.start();
      });
    }

    /** The end of the log as the filter has it. */
    async reset() {
      this.turn += 1;
      this.busy = false;
      this.stop();
      const page = await this.ask({ before: 0 });
      if (!page) return;
      this.replace(page);
      this.atTail = true;
      this.last = Math.max(page.newest, page.next);
      if (this.follow || !this.finished) this.setFollow(!this.finished);
      this.toEnd();
      // A filter that lets little through looks on until there is a screen full of it.
      if (this.view.scrollHeight <= this.view.clientHeight + NEAR_PX) await this.loadOlder();
      this.start();
    }

    async goTo(number) {
      if (!document.getElementById(`L${number}`)) {
        this.turn += 1;
        this.busy = false;
        this.stop();
        this.form?.reset();
        const page = await this.ask({ around: number });
        if (!page) return;
        this.replace(page);
        this.last = page.next;
        this.atTail = page.end;
        if (this.atTail) this.start();
      }
      this.setFollow(false);
      this.mark(number);
    }

    mark(number) {
      this.list.querySelector("[data-marked]")?.removeAttribute("data-marked");
      const item = document.getElementById(`L${number}`);
      if (!item) return;
      item.dataset.marked = "";
      this.ownScroll = true;
      this.view.scrollTop += item.getBoundingClientRect().top - this.view.getBoundingClientRect().top - 72;
    }

    replace(page) {
      this.list.replaceChildren(...page.lines.map(lineElement));
      this.first = page.begin ? 1 : page.first;
      this.earlier.hidden = page.begin;
      this.none.hidden = page.lines.length > 0;
    }

    prepend(lines) {
      if (!lines.length) return;
      const before = this.list.firstElementChild;
      const top = before?.getBoundingClientRect().top ?? 0;
      this.list.prepend(...lines.map(lineElement));
      if (before) {
        this.ownScroll = true;
        this.view.scrollTop += before.getBoundingClientRect().top - top;
      }
      this.none.hidden = true;
      if (this.list.children.length <= KEPT_LINES) return;
      while (this.list.children.length > KEPT_LINES) this.list.lastElementChild.remove();
      this.last = numberOf(this.list.lastElementChild);
      this.atTail = false;
      this.setFollow(false);
      this.stop();
    }

    append(lines) {
      const fresh = lines.filter((line) => line.n > this.last);
      if (!fresh.length) return;
      this.last = fresh[fresh.length - 1].n;
      this.list.append(...fresh.map(lineElement));
      this.none.hidden = true;
      const over = this.list.children.length - KEPT_LINES;
      if (over > 0) this.dropOldest(over);
      if (this.follow) this.toEnd();
    }

    dropOldest(count) {
      const kept = this.list.children[count];
      const top = kept.getBoundingClientRect().top;
      for (let left = count; left > 0; left--) this.list.firstElementChild.remove();
      this.first = numberOf(this.list.firstElementChild);
      this.earlier.hidden = false;
      this.ownScroll = true;
      this.view.scrollTop += kept.getBoundingClientRect().top - top;
    }

    // ---- Where new lines come from ----

    start() {
      if (this.finished || !this.atTail || document.hidden) return;
      this.stop();
      if (this.dataset.stream && this.failures < STREAM_FAILURES) this.openStream();
      else this.poll();
    }

    stop() {
      this.source?.close();
      this.source = null;
      clearTimeout(this.timer);
    }

    openStream() {
      this.source = new EventSource(this.address(this.dataset.stream, { after: this.last }));
      this.source.onopen = () => {
        this.failures = 0;
        this.show("on", "live");
      };
      this.source.onerror = () => {
        this.show("retry", "retry");
        this.failures += 1;
        if (this.failures >= STREAM_FAILURES) this.start();
      };
      this.source.addEventListener("lines", (event) => {
        const { lines, skipped } = JSON.parse(event.data);
        if (skipped) this.skipTo(lines);
        else this.append(lines);
      });
      this.source.addEventListener("end", () => this.finish());
    }

    /** The log runs ahead of the page: go on with its end, the rest is loaded where it is looked at. */
    skipTo(lines) {
      this.replace({ lines, first: lines[0].n, begin: lines[0].n <= 1 });
      this.last = lines[lines.length - 1].n;
      if (this.follow) this.toEnd();
    }

    async poll() {
      const page = await this.ask({ after: this.last });
      if (page) {
        this.failures = 0;
        this.append(page.lines);
        this.last = Math.max(this.last, page.next);
        if (page.done) return this.finish();
        this.show("on", "live");
      } else {
        this.failures += 1;
        this.show("retry", "retry");
      }
      const wait = page && !page.end ? 0 : Math.min(POLL_MS * 2 ** this.failures, LONGEST_MS);
      if (this.atTail && !document.hidden && this.isConnected)
        this.timer = setTimeout(() => this.poll(), wait);
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

    // ---- What a person does ----

    typed() {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.reset(), TYPING_MS);
    }

    clicked(event) {
      const link = event.target.closest?.("a");
      if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      if (link.closest("[data-earlier]")) return this.loadOlder();
      const number = numberOf(link.closest("li"));
      history.replaceState(history.state, "", link.href);
      this.setFollow(false);
      this.mark(number);
    }

    hashLine() {
      return Number(/^#L(\d+)$/.exec(location.hash)?.[1]) || 0;
    }

    pressFollow() {
      if (this.follow) return this.setFollow(false);
      if (!this.atTail) return this.reset();
      this.setFollow(true);
    }

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
      const below = scrollHeight - scrollTop - clientHeight;
      if (scrollTop < NEAR_PX && this.first > 1 && !this.ownScroll) this.loadOlder();
      if (below < NEAR_PX && !this.atTail) this.loadNewer();
      const follows = below < END_PX && this.atTail;
      if (!this.ownScroll && follows !== this.follow && !this.finished) this.setFollow(follows);
      this.ownScroll = false;
    }
  }

  customElements.define("run-log", RunLog);
})();
