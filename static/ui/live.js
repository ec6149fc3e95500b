// What keeps a page true while it is open: polling, toasts, running clocks, and what to say when a request fails.
// The only file that knows htmx's events, apart from the palette in app.js.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const toasts = document.getElementById("toasts");
  const pattern = document.getElementById("toast-pattern");

  // ---- Toasts ----

  const STAY_MS = 6000;

  /** Success leaves by itself, everything else waits to be dismissed. */
  function expire(toast) {
    if (toast.dataset?.s !== "ok") return;
    setTimeout(() => (toast.matches(":hover, :focus-within") ? expire(toast) : toast.remove()), STAY_MS);
  }

  function say(tone, title, text = "") {
    if (!toasts || !pattern) return;
    const toast = pattern.content.firstElementChild.cloneNode(true);
    toast.dataset.s = tone;
    toast.querySelector("strong").textContent = title;
    toast.querySelector("p").textContent = text;
    all("[data-tone]", toast).forEach(
      (icon) => (icon.hidden = icon.dataset.tone !== (tone === "ok" ? "ok" : "")),
    );
    toasts.append(toast);
  }

  if (toasts) {
    all("[data-toast]", toasts).forEach(expire);
    const added = (changes) => changes.forEach((change) => change.addedNodes.forEach(expire));
    new MutationObserver(added).observe(toasts, { childList: true });
  }

  document.addEventListener("click", (event) => {
    event.target.closest?.("[data-dismiss]")?.closest("[data-toast]")?.remove();
  });

  // Header HX-Trigger: {"toast": {"tone": "ok", "title": "…", "text": "…"}}
  document.body.addEventListener("toast", (event) =>
    say(event.detail.tone, event.detail.title, event.detail.text),
  );

  // ---- Polling: [data-poll="5"] with hx-get and hx-trigger="poll", only while the page is seen ----

  const DEFAULT_SECONDS = 5;
  const LONGEST_SECONDS = 120;
  const polls = new WeakMap();

  function pollState(element) {
    if (!polls.has(element)) polls.set(element, { due: 0, failures: 0 });
    const state = polls.get(element);
    if (!state.due) schedule(element, state);
    return state;
  }

  function schedule(element, state) {
    const seconds = (Number(element.dataset.poll) || DEFAULT_SECONDS) * 2 ** state.failures;
    state.due = Date.now() + Math.min(seconds, LONGEST_SECONDS) * 1000;
  }

  /** A swap would close an open menu or dialog inside the fragment. */
  const inUse = (element) => element.querySelector(":popover-open, dialog[open]");

  function pollDue() {
    if (document.hidden) return;
    all("[data-poll]").forEach((element) => {
      const state = pollState(element);
      if (Date.now() < state.due || inUse(element)) return;
      schedule(element, state);
      htmx.trigger(element, "poll");
    });
  }

  function pollEnded(element, succeeded) {
    const state = pollState(element);
    state.failures = succeeded ? 0 : state.failures + 1;
    schedule(element, state);
    const note = element.querySelector(":scope > .poll-note");
    if (succeeded) note?.remove();
    else if (!note && toasts?.dataset.stale) element.prepend(staleNote());
  }

  function staleNote() {
    const note = document.createElement("p");
    note.className = "poll-note";
    note.setAttribute("role", "status");
    note.textContent = toasts.dataset.stale;
    return note;
  }

  setInterval(pollDue, 500);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) all("[data-poll]").forEach((element) => (pollState(element).due = 1));
  });

  // ---- Failed requests ----

  const REASONS = {
    0: "offline",
    403: "forbidden",
    404: "missing",
    409: "conflict",
    413: "large",
    429: "busy",
  };

  /** Sentences stand on #toasts as data-<reason>="Title|Text". */
  function explain(status) {
    const reason = REASONS[status] || (status >= 500 ? "server" : "refused");
    const [title, text] = (toasts?.dataset[reason] || "").split("|");
    if (title) say("bad", title, text);
  }

  function failed(event, status) {
    const element = event.detail.elt;
    if (element?.matches?.("[data-poll]")) return pollEnded(element, false);
    explain(status);
  }

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    // Signed out meanwhile: the reloaded page leads to the sign-in and back.
    if (xhr.status === 401) return location.reload();
    // The server has said it better itself.
    if (/"toast"/.test(xhr.getResponseHeader("HX-Trigger") || "")) return;
    failed(event, xhr.status);
  });
  document.addEventListener("htmx:sendError", (event) => failed(event, 0));
  document.addEventListener("htmx:timeout", (event) => failed(event, 0));
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful } = event.detail;
    if (successful && elt?.isConnected && elt.matches("[data-poll]")) pollEnded(elt, true);
  });

  // ---- Clocks: data-since="72" holds the seconds that had passed when the server wrote it ----

  const seen = new WeakMap();
  const two = (number) => String(number).padStart(2, "0");

  function clockText(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
    return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} m`;
  }

  setInterval(() => {
    all("[data-since]").forEach((clock) => {
      if (!seen.has(clock)) seen.set(clock, Date.now() - Number(clock.dataset.since) * 1000);
      clock.textContent = clockText(Math.floor((Date.now() - seen.get(clock)) / 1000));
    });
  }, 1000);
})();
