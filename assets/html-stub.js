// Stands in for @codemirror/lang-html, which lang-jinja imports but we never use: saves 56 KB.
import { LanguageSupport } from "@codemirror/language";
import { StandardSQL } from "@codemirror/lang-sql";

export const htmlLanguage = StandardSQL.language;
export const html = () => new LanguageSupport(htmlLanguage);
