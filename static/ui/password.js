// input[data-strength]: says below a new password, while it is typed, how strong it is. The words stand in the
// attribute; what counts in the end is what the server says. Nothing leaves the page.
"use strict";

(() => {
  const SHORTEST = 10;

  /** One of short, same, weak, good, strong. */
  function strengthOf(password) {
    const letters = [...password];
    const different = new Set(letters).size;
    if (letters.length < SHORTEST) return "short";
    if (different < 4) return "same";
    const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(password));
    // Length counts most; digits alone, or few characters in turn, count for little.
    const points = letters.length + 3 * (kinds.length - 1) - Math.max(0, 8 - different) * 2;
    if (points < 14) return "weak";
    return points < 20 ? "good" : "strong";
  }

  for (const input of document.querySelectorAll("input[data-strength]")) {
    const words = JSON.parse(input.dataset.strength);
    const line = document.createElement("div");
    line.className = "help";
    line.id = `${input.id}_strength`;
    line.setAttribute("role", "status");
    const help = document.getElementById(`${input.id}_helptext`);
    (help || input).after(line);
    const described = input.getAttribute("aria-describedby");
    input.setAttribute("aria-describedby", described ? `${described} ${line.id}` : line.id);
    input.addEventListener("input", () => {
      line.textContent = input.value ? words[strengthOf(input.value)] : "";
    });
  }
})();
