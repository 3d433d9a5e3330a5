/* The table of labels to check, and the labels a reader sets in it. */

const PAGE = 25, MOST_ADDED = 100, LIST_FROM = 60;
const UNSAVED = "CORRECTIONS.csv";  // in the command, until the file has a name
const checks = { sort: "certainty", direction: 1, limit: PAGE, label: "", text: "", fixed: new Map(), saved: true, file: UNSAVED };

const ORDER = {
  certainty: i => rows.certainty[i],
  margin: i => rows.margin[i],
  label: i => rows.label[i],
  second: i => rows.second[i],
  id: i => rows.id[i],
  truth: i => (isWrong(i) ? 0 : isKnown(i) ? 1 : 2),
};

const GIVEN = "given";  // of the filter, beside class numbers

function wanted(i) {
  if (isGiven(i) !== (checks.label === GIVEN)) return false;
  if (checks.label === "" ? !isReached(i) : checks.label !== GIVEN && rows.label[i] !== +checks.label) return false;
  const { text } = checks;
  return !text || rows.id[i].toLowerCase().includes(text) || (!!rows.text && rows.text[i].toLowerCase().includes(text));
}

function matching() {
  const key = ORDER[checks.sort];
  return everyRow.filter(wanted).sort((a, b) => {
    const first = key(a), second = key(b);
    if (first === second) return rows.certainty[a] - rows.certainty[b] || a - b;
    return (first < second ? -1 : 1) * checks.direction;
  });
}

/* ---- own labels ---- */

/** Sets or (null) takes back a label, and shows it in the row's line of the table. */
function setLabel(i, code) {
  if (code === null) checks.fixed.delete(i); else checks.fixed.set(i, code);
  checks.saved = !checks.fixed.size;
  checks.file = UNSAVED;
  $(`#rows tr[data-row="${i}"]`)?.classList.toggle("set", code !== null);
  showSave();
  showAgain();
}

function showSave() {
  const n = checks.fixed.size, save = $("#save");
  save.disabled = !n;
  save.textContent = n ? `Save ${number(n)} label${n > 1 ? "s" : ""} as CSV` : "Save your labels as CSV";
}

/** The command for the next run: the name of the saved file, and what makes corrections of given labels count. */
function showAgain() {
  const again = $("#again"), given = [...checks.fixed.keys()].some(isGiven);
  if (!again) return;
  again.dataset.command ??= again.textContent;
  const command = again.dataset.command.replace(/CORRECTIONS\.csv(?= --out)/, checks.file);
  again.textContent = command + (given && !command.includes(" --prefer ") ? " --prefer labels" : "");
  $("#given-note").hidden = !given;
}

function picker(i) {
  const title = { "aria-label": "Your label for " + fileName(i) };
  if (data.classes.length > LIST_FROM) return typedPicker(i, title);
  const choice = el("select", title, el("option", { value: "" }, "–"));
  data.classes.forEach((_, code) => choice.append(el("option", { value: code }, name(code) + (code === rows.label[i] ? " (right)" : ""))));
  choice.value = checks.fixed.get(i) ?? "";
  choice.addEventListener("change", () => setLabel(i, choice.value === "" ? null : +choice.value));
  return choice;
}

/** With many classes: a box that completes their names. */
function typedPicker(i, title) {
  if (!$("#class-names")) {
    document.body.append(el("datalist", { id: "class-names" }, ...data.classes.map(text => el("option", { value: visible(text) }))));
  }
  const box = el("input", { ...title, type: "text", list: "class-names", placeholder: "class" });
  if (checks.fixed.has(i)) box.value = visible(data.classes[checks.fixed.get(i)]);
  box.addEventListener("change", () => {
    const code = data.classes.findIndex(text => visible(text) === box.value.trim());
    box.setCustomValidity(code < 0 && box.value.trim() ? "No class has this name." : "");
    box.reportValidity();
    setLabel(i, code < 0 ? null : code);
  });
  return box;
}

/** A name that no other saved file has, of this or another run: with the time, to the second. */
function fileToSave() {
  const now = new Date(), two = n => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${data.file}-corrections-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.csv`;
}

function saveLabels() {
  const quoted = text => (/[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const lines = [...checks.fixed].map(([i, code]) => `${quoted(rows.id[i])},${quoted(data.classes[code])}\n`);
  const file = URL.createObjectURL(new Blob(["id,label\n", ...lines], { type: "text/csv" })), download = fileToSave();
  el("a", { href: file, download }).click();
  setTimeout(() => URL.revokeObjectURL(file), 1000);
  checks.saved = true;
  checks.file = download;
  showAgain();
}

/* ---- the table ---- */

/** Opens the larger view. */
function firstCell(i) {
  const open = { type: "button", onclick: () => view(i) };
  const picture = thumb(i, 96, "button");
  if (picture) return fill(picture, { ...open, "aria-label": `Larger: ${fileName(i)}` }, []);
  const text = kind === "text" ? cut(rows.text[i], 80) : cut(rows.id[i], 80);
  return el("button", { ...open, class: "words" }, text);
}

function tableRow(i) {
  const bar = el("i", { style: `width:${rows.certainty[i] / 10}%` });
  const cells = [
    el("td", { class: "i" }, firstCell(i)),
    el("td", { class: "l" }, labelTag(rows.label[i])),
    el("td", { class: "p" }, el("div", { class: "cbar" }, el("span", {}, bar), certaintyText(rows.certainty[i]))),
    el("td", { class: "s" }, rows.second[i] >= 0 ? name(rows.second[i]) : ""),
    el("td", { class: "m r" }, certaintyText(rows.margin[i])),
  ];
  if (kind !== "example") cells.push(el("td", { class: "n" }, fileName(i)));
  if (rows.truth) {
    const said = isWrong(i) ? [el("span", { class: "bad-t" }, `${name(rows.truth[i])}, wrong`)] : isKnown(i) ? [el("span", { class: "f" }, "right")] : [];
    cells.push(el("td", { class: "t", "data-k": "Truth:" }, ...said));
  }
  cells.push(el("td", { class: "y" }, picker(i)));
  return el("tr", { "data-row": i, class: checks.fixed.has(i) ? "set" : "" }, ...cells);
}

function drawRows() {
  checks.matching = matching();
  const some = checks.matching.slice(0, checks.limit);
  const none = el("tr", {}, el("td", { class: "none", colspan: 8 }, `No ${noun} matches.`));
  $("#rows").replaceChildren(...(some.length ? some.map(tableRow) : [none]));
  showCount();
}

function showCount() {
  const total = checks.matching.length, some = Math.min(checks.limit, total);
  const held = checks.label === "" && !checks.text && total < data.n ? `, of ${number(data.n)} labeled` : "";
  $("#count").textContent = `${number(some)} of ${number(total)} shown${held}`;
  $("#more").hidden = checks.limit >= total;
}

/** Appends further rows, more at a time the more there are, and moves on to the first of them. */
function showMore() {
  const from = checks.limit;
  checks.limit += from >= 4 * PAGE ? MOST_ADDED : PAGE;
  const added = checks.matching.slice(from, checks.limit).map(tableRow);
  $("#rows").append(...added);
  showCount();
  $("#more").textContent = `Show ${checks.limit >= 4 * PAGE ? MOST_ADDED : PAGE} more`;
  const control = added.length && ($("button", added[0]) || $("select, input", added[0]));
  if (control) control.focus({ preventScroll: true });
}

/** Heading and caption say whose labels are listed. */
function nameRows() {
  const given = checks.label === GIVEN, n = everyRow.filter(isGiven).length;
  for (const [place, text] of [["#h-check", `Labels you gave: ${number(n)} on this page`], ["#checks caption", "Labels you gave"]]) {
    const shown = $(place);
    shown.dataset.own ??= shown.textContent;
    shown.textContent = given ? text : shown.dataset.own;
  }
}

function sortBy(key, direction) {
  checks.sort = key; checks.direction = direction; checks.limit = PAGE;
  $$("#checks th[aria-sort]").forEach(head => {
    const own = $("button", head).value === key;
    head.setAttribute("aria-sort", !own ? "none" : direction > 0 ? "ascending" : "descending");
  });
  drawRows();
}

function filterBy(change) {
  Object.assign(checks, change, { limit: PAGE });
  drawRows();
  nameRows();
  announce($("#count").textContent);
}

function startChecks() {
  if (!$("#checks")) return;
  $$("#checks th button").forEach(button => button.addEventListener("click", () => {
    sortBy(button.value, checks.sort === button.value ? -checks.direction : 1);
  }));
  $("#by-column").addEventListener("change", event => sortBy(event.target.value, 1));
  $("#by-label").addEventListener("change", event => filterBy({ label: event.target.value }));
  $("#by-text").addEventListener("input", event => filterBy({ text: event.target.value.trim().toLowerCase() }));
  $("#more").addEventListener("click", showMore);
  $("#save").addEventListener("click", saveLabels);
  startViewer();
  addEventListener("beforeunload", event => { if (!checks.saved) event.preventDefault(); });
  drawRows();
}

/* ---- search among many classes ---- */

function startClassSearch() {
  const box = $("#class-text");
  if (!box) return;
  const lines = $$("#class-rows tr").map(row => ({ row, first: !row.hidden, text: $("th", row).textContent.toLowerCase() }));
  const usual = $("#class-count").textContent;
  box.addEventListener("input", () => {
    const text = box.value.trim().toLowerCase();
    let found = 0;
    for (const line of lines) {
      line.row.hidden = text ? !line.text.includes(text) : !line.first;
      if (!line.row.hidden) found += 1;
    }
    $("#class-count").textContent = text ? `${number(found)} of ${number(lines.length)} classes` : usual;
    announce($("#class-count").textContent);
  });
}
