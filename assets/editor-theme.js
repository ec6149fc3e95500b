// Colours of the SQL editor: only the custom properties of tokens.css, which reach into the shadow root.
import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";

const jinjaTags = [
  t.processingInstruction,
  t.meta,
  t.definitionKeyword,
  t.controlKeyword,
  t.brace,
  t.special(t.brace),
  t.tagName,
];

export const highlighting = HighlightStyle.define([
  { tag: [t.keyword, t.operatorKeyword, t.modifier], color: "var(--c-keyword)", fontWeight: "500" },
  { tag: [t.string, t.special(t.string)], color: "var(--c-string)" },
  { tag: [t.number, t.bool, t.null], color: "var(--c-number)" },
  { tag: [t.function(t.variableName), t.standard(t.name), t.typeName], color: "var(--c-func)" },
  { tag: [t.comment, t.lineComment, t.blockComment], color: "var(--c-comment)", fontStyle: "italic" },
  { tag: jinjaTags, color: "var(--c-jinja)", fontWeight: "500" },
]);

const selection = "color-mix(in oklab, var(--accent-solid) 24%, transparent)";
const focusedSelection = "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground";

export const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "0.8125rem", backgroundColor: "var(--surface)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.65", overflow: "auto" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 16px 0 10px" },
  ".cm-gutters": {
    backgroundColor: "var(--surface)",
    color: "var(--text-3)",
    border: "0",
    paddingLeft: "6px",
  },
  ".cm-activeLine": { backgroundColor: "var(--surface-2)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--surface-2)", color: "var(--text)" },
  "&.cm-focused .cm-cursor": { borderLeftColor: "var(--accent-solid)", borderLeftWidth: "2px" },
  [`${focusedSelection}, .cm-selectionBackground`]: { backgroundColor: selection },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--accent-soft)",
    outline: "1px solid var(--accent-line)",
  },
  ".cm-selectionMatch": { backgroundColor: "var(--warn-soft)" },
  ".cm-tooltip": {
    backgroundColor: "var(--overlay)",
    border: "1px solid var(--line-2)",
    borderRadius: "8px",
    boxShadow: "var(--shadow-2)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: "var(--mono)",
    fontSize: "0.75rem",
    maxHeight: "14rem",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 10px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent-soft)",
    color: "var(--text)",
  },
  ".cm-completionDetail": { color: "var(--text-3)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-panels": { backgroundColor: "var(--surface-2)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panels input, .cm-panels button": { font: "inherit", color: "inherit" },
});
