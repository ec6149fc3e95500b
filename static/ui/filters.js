// Row filters: the operators and the example follow the column. Without it every operator is offered.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /** Only operators that fit the column; one that does not fit stays where it was stored so. */
  function fit(row, changed) {
    const column = row.querySelector("[data-filter-column]")?.selectedOptions[0];
    const operator = row.querySelector("[data-filter-op]");
    const kind = column?.dataset.kind;
    [...operator.options].forEach((option) => {
      const fits = !kind || option.dataset.kinds.split(" ").includes(kind);
      option.hidden = option.disabled = !fits && (changed || !option.selected);
    });
    if (operator.selectedOptions[0]?.disabled) {
      operator.value = [...operator.options].find((option) => !option.disabled).value;
    }
    const hint = operator.selectedOptions[0]?.dataset.hint || column?.dataset.hint;
    all("[data-filter-value]", row).forEach((input) => (input.placeholder = hint || input.dataset.hint));
  }

  function fitAll(root) {
    all("[data-filter-row]", root).forEach((row) => fit(row, false));
  }

  /** A count puts errors into their places; the field each is about is marked here. */
  function markInvalid() {
    all("[data-filter-row]").forEach((row) => {
      const wrong = row.querySelector(".filter-error").dataset.wrong;
      all('[aria-describedby$="-error"]', row).forEach((field) => {
        const part = /-(column|op)$/.exec(field.id)?.[1] || "value";
        if (part === wrong) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      });
    });
  }

  document.addEventListener("change", (event) => {
    const row = event.target.closest?.("[data-filter-row]");
    if (row && event.target.matches("[data-filter-column], [data-filter-op]")) fit(row, true);
  });
  document.addEventListener("htmx:load", (event) => fitAll(event.target));
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "filter-count") markInvalid();
  });
  fitAll(document);
})();
