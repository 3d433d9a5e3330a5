/* The larger view of a row of the table: its picture or text, what is known of it, and its label by keys. */

const viewer = { box: $("#viewer"), row: -1 };

/** The key of each class: its name where all names are single characters, else 1 to 9 in order. */
const single = data.classes.every(text => text.length === 1);
const keyOf = code => (single ? data.classes[code].toLowerCase() : code < 9 ? String(code + 1) : "");
const BUTTONS = 10;  // more classes are chosen from a list

function largePicture(i) {
  const address = data.large[i];
  if (address) return el("img", { src: address, alt: `Image ${fileName(i)}` });
  const picture = thumb(i, 96);
  if (picture) picture.style.setProperty("--s", "288px");
  return picture;
}

function chooser(i) {
  if (data.classes.length > BUTTONS) return picker(i);
  const chosen = checks.fixed.get(i);
  return el("div", { class: "choices" }, ...data.classes.map((_, code) => {
    const key = keyOf(code), hint = key && !single ? [el("kbd", {}, key), " "] : [];
    const title = { type: "button", "aria-pressed": String(chosen === code), onclick: () => choose(code) };
    return el("button", title, ...hint, name(code));
  }));
}

function view(i) {
  viewer.row = i;
  const picture = largePicture(i), place = checks.matching.indexOf(i);
  const onMap = isOnMap(i) ? [el("button", { type: "button", onclick: toMap }, "Show on the map")] : [];
  const close = el("button", { type: "button", onclick: () => viewer.box.close() }, "Close");
  const keys = data.classes.length > BUTTONS ? "" : single ? " A class's character sets it," : " Digits set the label,";
  viewer.box.replaceChildren(
    el("p", { class: "f" }, `${number(place + 1)} of ${number(checks.matching.length)} in the table`),
    el("div", { class: "one" }, ...(picture ? [picture] : []), details(i, true)),
    el("h3", {}, "Your label"), chooser(i),
    el("p", { class: "f" }, `Arrows go to the next and the one before.${keys}${keys ? " Backspace takes it back," : ""} Escape closes.`),
    el("div", { class: "tools" }, ...onMap, close),
  );
  if (!viewer.box.open) viewer.box.showModal();
  viewer.box.focus();
  announce(spoken(i));
}

function choose(code) {
  setLabel(viewer.row, code);
  if (code !== null && checks.matching.indexOf(viewer.row) < checks.matching.length - 1) step(1); else view(viewer.row);
}

function step(by) {
  const next = checks.matching[checks.matching.indexOf(viewer.row) + by];
  if (next !== undefined) view(next);
}

function toMap() {
  viewer.box.close();
  showOnMap(viewer.row);
}

function onViewerKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
  const act = {
    ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
    Backspace: () => choose(null), Delete: () => choose(null),
  }[event.key];
  const code = data.classes.length > BUTTONS ? -1 : data.classes.findIndex((_, at) => keyOf(at) && keyOf(at) === event.key.toLowerCase());
  if (!act && code < 0) return;
  event.preventDefault();
  if (act) act(); else choose(code);
}

/** Back to the table, with the row that was seen last, which may have got a label. */
function leaveViewer() {
  const at = checks.matching.indexOf(viewer.row);
  if (at >= checks.limit) checks.limit = at + 1;
  drawRows();
  const back = $(`#rows tr[data-row="${viewer.row}"] button`);
  if (back) back.focus();
}

function startViewer() {
  viewer.box.addEventListener("keydown", onViewerKey);
  viewer.box.addEventListener("close", leaveViewer);
}
