// The list of runs while it refreshes itself: nothing jumps, what was ticked stays ticked, and new runs are said.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const list = () => document.getElementById("runs");
  const said = document.getElementById("new-runs");
  const scroller = () => document.querySelector("[data-scroller]") || document.scrollingElement;
  const rows = () => all("tr[id^='row-']", list() || document);
  let kept = null;

  /** The first row that is seen, and where: after the swap it stands there again. */
  function anchor() {
    const top = list()?.getBoundingClientRect().top ?? 0;
    if (top > 0) return null; // the beginning is seen: new runs may push the others down
    const row = rows().find((one) => one.getBoundingClientRect().bottom > 0);
    return row && { id: row.id, top: row.getBoundingClientRect().top };
  }

  function remember(event) {
    if (event.detail.target?.id !== "runs") return;
    kept = {
      ticked: new Set(all(".run-check:checked").map((box) => box.value)),
      numbers: new Set(rows().map((row) => row.id)),
      anchor: anchor(),
      polled: event.detail.requestConfig?.triggeringEvent?.type === "poll",
    };
  }

  function restore(event) {
    if (!kept || !list()) return;
    all(".run-check").forEach((box) => (box.checked = kept.ticked.has(box.value)));
    const row = kept.anchor && document.getElementById(kept.anchor.id);
    if (row) scroller().scrollTop += row.getBoundingClientRect().top - kept.anchor.top;
    if (kept.polled) tellNew(rows().filter((one) => !kept.numbers.has(one.id)));
    else if (said) said.textContent = "";
    kept = null;
    count();
  }

  function tellNew(fresh) {
    if (!said || !fresh.length || !kept.numbers.size) return;
    fresh.forEach((row) => (row.dataset.new = ""));
    const pattern = fresh.length === 1 ? said.dataset.one : said.dataset.many;
    said.textContent = pattern.replace("{n}", fresh.length);
  }

  /** How many are ticked, and buttons that need some. */
  function count() {
    const number = all(".run-check:checked").length;
    const words = document.querySelector("[data-selected]");
    if (words) words.textContent = number ? words.dataset.some.replace("{n}", number) : words.dataset.none;
    all("[data-needs-selection]").forEach((button) => (button.disabled = number === 0));
    const everything = document.getElementById("check-runs");
    if (everything) everything.checked = number > 0 && number === all(".run-check").length;
  }

  document.addEventListener("htmx:beforeSwap", remember);
  document.addEventListener("htmx:afterSwap", restore);
  document.addEventListener("change", (event) => {
    if (event.target.matches(".run-check, #check-runs")) count();
  });

  // x ticks the run that is focused; j, k and Enter are those of every list.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.body.dataset.hotkeys === "off") return;
    const box = document.activeElement?.closest?.("tr")?.querySelector(".run-check");
    if (box && document.activeElement !== box) box.click();
  });

  // The filter is the address: the form for many at once leads back to it.
  document.addEventListener("submit", (event) => {
    const here = event.target.id === "bulk" && event.target.elements.namedItem("here");
    if (here) here.value = location.search.slice(1);
  });

  count();
})();
