// <sql-editor>: a CodeMirror editor for SQL with Jinja around a plain textarea.
//
//   <sql-editor data-dialect="postgres" data-schema='{"orders": ["id"]}' data-run="#preview" data-save="#save">
//     <textarea name="sql">…</textarea>
//   </sql-editor>
//
// Without JavaScript the textarea works alone. It is mounted in a shadow root, so that its style
// sheets are constructed ones and the strict content security policy needs no nonce.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { closePercentBrace, jinja } from "@codemirror/lang-jinja";
import { PostgreSQL, sql, StandardSQL } from "@codemirror/lang-sql";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from "@codemirror/view";
import { highlighting, theme } from "./editor-theme.js";

const DIALECTS = { postgres: PostgreSQL, redshift: PostgreSQL, duckdb: PostgreSQL };
const DBT_NAMES = [
  "ref",
  "source",
  "config",
  "var",
  "this",
  "is_incremental",
  "env_var",
  "target",
  "adapter",
];

/** Completes the name inside an open ref('… or source('…. */
function referenceCompletion(tables) {
  const options = Object.keys(tables).map((label) => ({ label, type: "class" }));
  return (context) => {
    const match = context.matchBefore(/(?:ref|source)\(\s*['"][\w]*/);
    if (!match) return null;
    const quote = match.text.search(/['"]/);
    return { from: match.from + quote + 1, options, validFor: /^\w*$/ };
  };
}

function language(dialect, tables) {
  const base = sql({ dialect: DIALECTS[dialect] || StandardSQL, schema: tables });
  const variables = DBT_NAMES.map((label) => ({ label, type: "function" }));
  const support = jinja({ base, variables });
  return [support, support.language.data.of({ autocomplete: referenceCompletion(tables) })];
}

class SqlEditor extends HTMLElement {
  connectedCallback() {
    if (this.view) return;
    this.textarea = this.querySelector("textarea");
    const root = this.attachShadow({ mode: "open" });
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({ doc: this.textarea.value, extensions: this.extensions() }),
    });
    this.textarea.hidden = true;
    this.showProblems(JSON.parse(this.dataset.problems || "[]"));
  }

  extensions() {
    const label = this.textarea.labels[0]?.textContent || this.textarea.getAttribute("aria-label") || "SQL";
    return [
      lineNumbers(),
      highlightActiveLineGutter(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of("    "),
      bracketMatching(),
      closeBrackets(),
      closePercentBrace,
      rectangularSelection(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      search({ top: true }),
      lintGutter(),
      language(this.dataset.dialect, JSON.parse(this.dataset.schema || "{}")),
      autocompletion({ icons: false }),
      syntaxHighlighting(highlighting),
      theme,
      EditorState.readOnly.of(this.textarea.readOnly),
      EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
      keymap.of(this.keys()),
      EditorView.updateListener.of((update) => update.docChanged && this.sync()),
    ];
  }

  keys() {
    const press = (selector) => () => {
      document.querySelector(selector)?.click();
      return true;
    };
    return [
      { key: "Mod-Enter", run: press(this.dataset.run || "[data-run]") },
      { key: "Mod-s", run: press(this.dataset.save || "[data-save]") },
      // Tab indents, so Escape has to be the way out for the keyboard.
      { key: "Escape", run: (view) => (view.contentDOM.blur(), false) },
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...completionKeymap,
      ...lintKeymap,
      indentWithTab,
    ];
  }

  /** Keeps the textarea, which is what a form posts, equal to the editor. */
  sync() {
    this.textarea.value = this.view.state.doc.toString();
    this.textarea.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Marks problems in the gutter: a list of {line, message, severity}, lines counted from 1. */
  showProblems(problems) {
    const { doc } = this.view.state;
    const diagnostics = problems.map(({ line, message, severity = "error" }) => {
      const at = doc.line(Math.min(Math.max(line || 1, 1), doc.lines));
      return { from: at.from, to: at.to, message, severity };
    });
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }
}

customElements.define("sql-editor", SqlEditor);

// A fragment with the outcome of a compile or preview may carry the problems found in it.
document.addEventListener("htmx:afterSettle", (event) => {
  const carrier =
    event.target.closest?.("[data-editor-problems]") ||
    event.target.querySelector?.("[data-editor-problems]");
  if (!carrier) return;
  const problems = JSON.parse(carrier.dataset.editorProblems || "[]");
  document.querySelectorAll("sql-editor").forEach((editor) => editor.showProblems(problems));
});
