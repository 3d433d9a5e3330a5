"use strict";
/* The page's data, text and elements. All text is set as text, never as markup. */

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const data = JSON.parse($("#data").textContent);
const { rows, noun } = data;
const nouns = noun + "s";
const kind = data.sheets ? "image" : rows.text ? "text" : "example";
const shownCount = rows.id.length;
const COLORS = 10;
const colorful = data.classes.length <= COLORS;

/* ---- text ---- */

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A name as it may be shown: control and direction characters as escapes. */
function visible(name) {
  return name.replace(HIDDEN, c => {
    const code = c.codePointAt(0);
    return SHORT[c] || (code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0"));
  });
}

function cut(text, limit) {
  const shown = [...visible(text)];
  if (!shown.join("").trim()) return `“${shown.join("")}”`;
  return shown.length <= limit ? shown.join("") : shown.slice(0, limit - 1).join("").trimEnd() + "…";
}

const labelNames = data.names.map(name => cut(name, 40));
const name = code => (code < 0 ? "none" : labelNames[code]);
const number = n => n.toLocaleString("en-US");
const certaintyText = value => (value >= 1000 ? "1" : (value / 1000).toFixed(3));

/* The same rounding as the page's Python: half up, 100% only for all, 0% only for none. */
function tenths(value, nothing) {
  if (nothing) return "0%";
  return value === 0 ? "under 0.1%" : (Math.min(value, 999) / 10).toFixed(1) + "%";
}
const percent = (part, whole) =>
  part >= whole ? "100%" : tenths(Math.floor((2000 * part + whole) / (2 * whole)), part === 0);
const percentOf = share => (share >= 1 ? "100%" : tenths(Math.floor(1000 * share + 0.5), share <= 0));

const Z95 = 1.959963984540054;

/** Wilson's 95% interval for a share. */
function wilson(part, whole) {
  if (!whole) return [0, 1];
  const share = part / whole, squared = Z95 * Z95, scale = 1 + squared / whole;
  const middle = share + squared / (2 * whole);
  const reach = Z95 * Math.sqrt(share * (1 - share) / whole + squared / (4 * whole * whole));
  return [part === 0 ? 0 : Math.max(0, (middle - reach) / scale), part === whole ? 1 : Math.min(1, (middle + reach) / scale)];
}

/* ---- elements ---- */

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
const el = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);
const svg = (tag, properties = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

const live = $("#live");
const announce = text => { live.textContent = text; };

/* ---- rows ---- */

const isGiven = i => rows.given[i] === 1;
const isReached = i => rows.label[i] >= 0;
const isKnown = i => !!rows.truth && !isGiven(i) && isReached(i) && rows.truth[i] >= 0;
const isWrong = i => isKnown(i) && rows.truth[i] !== rows.label[i];
const isOnMap = i => !!rows.x && rows.x[i] >= 0;
const fileName = i => visible(rows.id[i]);
const everyRow = rows.id.map((_, i) => i);

function labelTag(code) {
  const tag = el("span", { class: colorful && code >= 0 && code < COLORS ? `lab m${data.marks[code]}` : "lab plain" }, el("span", {}, name(code)));
  if (colorful) tag.style.setProperty("--k", `var(--c${code})`);
  return tag;
}

/** The picture of a row as an element, or null. */
function thumb(i, size, tag = "span") {
  if (!data.sheets) return null;
  const { per, columns } = data.sheets, inside = i % per;
  const picture = el(tag, {
    class: `th s${size} p${Math.floor(i / per)}${isWrong(i) ? " bad" : ""}`,
    "--x": inside % columns,
    "--y": Math.floor(inside / columns),
  });
  if (tag === "span") fill(picture, { role: "img", "aria-label": `Image ${fileName(i)}${isWrong(i) ? ", wrong" : ""}` }, []);
  return picture;
}
