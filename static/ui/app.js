// The shell of every page: menus, dialogs, drawer, command palette, keys, and guards for plain forms.
// Markup says what takes part (data- attributes, listed in docs/ui.md); no text is written here.
"use strict";

(() => {
  const first = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const by = (id) => document.getElementById(id);
  const body = document.body;

  document.documentElement.dataset.js = "";

  // ---- Menus: native popovers, placed beside their button ----

  function placeMenu(menu, button) {
    const at = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const below = at.bottom + 6;
    const left = Math.min(at.left, innerWidth - width - 8);
    const top = below + height > innerHeight ? at.top - height - 6 : below;
    menu.style.left = `${Math.max(8, left)}px`;
    menu.style.top = `${Math.max(8, top)}px`;
  }

  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!menu.matches?.("[data-menu]")) return;
      const button = first(`[popovertarget="${menu.id}"]`);
      const open = event.newState === "open";
      button?.setAttribute("aria-expanded", open);
      if (!open || !button) return;
      placeMenu(menu, button);
      first("a, button", menu)?.focus();
    },
    true, // toggle does not bubble
  );

  function moveInMenu(event) {
    const menu = event.target.closest?.("[data-menu]");
    if (!menu || !/^Arrow(Up|Down)$/.test(event.key)) return;
    event.preventDefault();
    step(all("a, button", menu), event.key === "ArrowDown" ? 1 : -1)?.focus();
  }

  /** The neighbour of the focused one, going round at the ends. */
  function step(items, offset) {
    const at = items.indexOf(document.activeElement);
    return items[(at + offset + items.length) % items.length];
  }

  // ---- Dialogs ----

  /** A link with data-dialog leads to its own page when there is no such dialog or no script. */
  function openDialog(opener, event) {
    const dialog = by(opener.dataset.dialog);
    if (!dialog) return;
    event.preventDefault();
    opener.closest("[popover]")?.hidePopover();
    dialog.showModal();
  }

  /** data-confirm="Name": the button of the same form stays off until the name is typed. */
  function checkConfirmation(input) {
    const button = first("[data-confirmed]", input.form);
    if (button) button.disabled = input.value.trim() !== input.dataset.confirm;
  }

  // ---- Drawer on narrow screens; without script it opens by :target ----

  function toggleDrawer(open) {
    const side = by("side");
    side?.toggleAttribute("data-open", open);
    if (side?.hasAttribute("data-open")) first("a, button", side)?.focus();
  }

  // ---- Command palette: a combobox over a list that the server fills ----

  const palette = by("palette");
  const paletteInput = palette && first("input", palette);
  const paletteList = by("palette-list");
  let paletteOpener = null;

  const options = () => all('[role="option"]', paletteList);
  const chosen = () => options().findIndex((option) => option.ariaSelected === "true");

  function choose(index) {
    options().forEach((option, at) => option.setAttribute("aria-selected", at === index));
    const option = options()[index];
    if (!option) return paletteInput.removeAttribute("aria-activedescendant");
    option.scrollIntoView({ block: "nearest" });
    paletteInput.setAttribute("aria-activedescendant", option.id);
  }

  function openPalette() {
    if (!palette) return;
    paletteOpener = document.activeElement;
    palette.showModal();
    paletteInput.value = "";
    htmx.trigger(paletteInput, "palette:open");
    paletteInput.focus();
  }

  function paletteKey(event) {
    const count = options().length;
    if (event.key === "Escape")
      palette.close(); // a search field alone would only clear itself
    else if (event.key === "Enter") options()[chosen()]?.click();
    else if (event.key === "ArrowDown" && count) choose((chosen() + 1) % count);
    else if (event.key === "ArrowUp" && count) choose((chosen() + count - 1) % count);
    else return;
    event.preventDefault();
  }

  if (palette) {
    paletteInput.addEventListener("keydown", paletteKey);
    palette.addEventListener("close", () => paletteOpener?.focus?.());
    paletteList.addEventListener("htmx:afterSettle", () => choose(0));
  }

  // ---- Keys ----

  const goto = JSON.parse(body.dataset.goto || "{}");
  let wentAt = 0;

  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], sql-editor");

  /** data-hotkey="c" on a link or button presses it, on a field focuses it. */
  function pressHotkey(key) {
    const target = first(`[data-hotkey="${CSS.escape(key)}"]`);
    if (!target || target.disabled) return false;
    if (target.matches("input, select, textarea")) target.focus();
    else target.click();
    return true;
  }

  function singleKey(event) {
    if (Date.now() - wentAt < 1200 && goto[event.key]) {
      wentAt = 0;
      location.href = goto[event.key];
      return true;
    }
    if (event.key === "g") wentAt = Date.now();
    else if (event.key === "?") by("shortcuts")?.showModal();
    else if (event.key === "j" || event.key === "k")
      step(all("a.row-link"), event.key === "j" ? 1 : -1)?.focus();
    else return pressHotkey(event.key);
    return true;
  }

  document.addEventListener("keydown", (event) => {
    moveInMenu(event);
    moveInTabs(event);
    const command = event.metaKey || event.ctrlKey;
    if (command && event.key.toLowerCase() === "k" && palette) {
      event.preventDefault();
      return palette.open ? palette.close() : openPalette();
    }
    if (command || event.altKey || body.dataset.hotkeys === "off") return;
    if (typing(event.target) || first("dialog[open], :popover-open")) return;
    if (singleKey(event)) event.preventDefault();
  });

  if (/Mac|iP/.test(navigator.platform)) {
    all("kbd").forEach((key) => (key.textContent = key.textContent.replace("Ctrl ", "⌘")));
  }

  // ---- Tabs whose panels are already in the page ----

  function selectTab(tab) {
    all('[role="tab"]', tab.parentElement).forEach((other) => {
      const selected = other === tab;
      other.setAttribute("aria-selected", selected);
      other.tabIndex = selected ? 0 : -1;
      const panel = by(other.getAttribute("aria-controls"));
      if (panel) panel.hidden = !selected;
    });
  }

  function moveInTabs(event) {
    const tab = event.target.closest?.('[role="tab"]');
    if (!tab || !/^Arrow(Left|Right)$/.test(event.key)) return;
    const next = step(all('[role="tab"]', tab.parentElement), event.key === "ArrowRight" ? 1 : -1);
    next.focus();
    selectTab(next);
  }

  // ---- Clicks ----

  function copy(button) {
    const source = button.dataset.copy
      ? first(button.dataset.copy)
      : first("pre, code", button.parentElement);
    navigator.clipboard?.writeText((source.value ?? source.textContent).trim()).then(() => {
      if (button.dataset.copied) button.setAttribute("aria-label", button.dataset.copied);
      button.toggleAttribute("data-done", true);
    });
  }

  document.addEventListener("click", (event) => {
    const near = (selector) => event.target.closest?.(selector);
    const opener = near("[data-dialog]");
    if (opener) openDialog(opener, event);
    if (near("[data-close]")) near("dialog")?.close();
    if (event.target.matches?.("dialog")) event.target.close(); // the backdrop
    if (near("[data-palette]")) {
      event.preventDefault();
      openPalette();
    }
    if (near("[data-drawer]")) {
      event.preventDefault();
      toggleDrawer();
    } else if (!near("#side")) {
      toggleDrawer(false);
    }
    if (near("[data-copy]")) copy(near("[data-copy]"));
    if (near('[role="tab"]')) selectTab(near('[role="tab"]'));
    if (near("[data-check-all]")) checkAll(near("[data-check-all]"));
  });

  // ---- Forms ----

  /** data-check-all=".row-check" sets every visible box it names. */
  function checkAll(box) {
    all(box.dataset.checkAll).forEach((other) => {
      if (other.closest("[hidden]") || other.disabled) return;
      other.checked = box.checked;
      other.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  /** data-filter=".pick" hides what does not hold the text (its own, or data-filter-text); groups without a match hide too. */
  function filterList(input) {
    const wanted = input.value.trim().toLowerCase();
    const items = all(input.dataset.filter);
    const text = (item) => (item.dataset.filterText ?? item.textContent).toLowerCase();
    items.forEach((item) => (item.hidden = !text(item).includes(wanted)));
    all("[data-filter-group]").forEach((group) => {
      group.hidden = !all(input.dataset.filter, group).some((item) => !item.hidden);
    });
    all("[data-filter-empty]").forEach((note) => (note.hidden = items.some((item) => !item.hidden)));
  }

  const dirty = new Set();

  /** form[data-guard]: leaving the page with unsaved changes asks first. */
  function markDirty(form, changed) {
    if (!form?.matches?.("[data-guard]")) return;
    dirty[changed ? "add" : "delete"](form);
    all(`[data-dirty-for="${form.id}"]`).forEach((note) => (note.hidden = !changed));
  }

  function edited(event) {
    const field = event.target;
    if (field.dataset?.filter) filterList(field);
    if (field.dataset?.confirm !== undefined) checkConfirmation(field);
    markDirty(field.form, true);
  }

  document.addEventListener("input", edited);
  document.addEventListener("change", (event) => {
    markDirty(event.target.form, true);
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  /** data-once on a form or its button: a second press while the first is under way does nothing. */
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    const once = event.submitter?.matches("[data-once]")
      ? event.submitter
      : form.matches("[data-once]") && form;
    if (once && "busy" in once.dataset) return event.preventDefault();
    if (once) once.dataset.busy = "";
    markDirty(form, false);
  });

  // Only the form itself saves: a button in it tries the values, and 422 brings them back with errors.
  document.addEventListener("htmx:afterRequest", (event) => {
    const { successful, xhr } = event.detail;
    if (successful && xhr.status < 400) markDirty(event.target, false);
  });

  addEventListener("beforeunload", (event) => {
    const inPage = [...dirty].some((form) => form.isConnected);
    if (inPage) event.preventDefault();
  });

  // Coming back by the browser's history finds the buttons as they were left.
  addEventListener("pageshow", () => all("[data-busy]").forEach((button) => delete button.dataset.busy));

  // A row that scrolls on a small screen begins where one is.
  all(".tabs [aria-current], .seg [aria-current]").forEach((link) => {
    link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.offsetLeft - 24;
  });

  all("[data-confirm]").forEach(checkConfirmation);
  // Without script every panel is shown.
  all('[role="tab"][aria-selected="true"]').forEach(selectTab);
})();
