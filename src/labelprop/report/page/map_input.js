/* Pointing, keys, zoom, colors and the legend of the map. */

const NEAR = 18, NEAR_TOUCH = 28, STEP = 1.7;

const status = i =>
  isGiven(i) ? "given by you" : isReached(i) ? `certainty ${certaintyText(rows.certainty[i])}` : "no label: not reached";
const spoken = i => `${isReached(i) ? name(rows.label[i]) + ", " : ""}${status(i)}. ${fileName(i)}`;

/** What is known of a row, as nodes for the tooltip and the panel. */
function details(i, full) {
  const lines = [el("b", {}, isReached(i) ? labelTag(rows.label[i]) : "no label")];
  lines.push(el("div", {}, !isReached(i) ? "not reached" : full && !isGiven(i) ? `${status(i)}, margin ${certaintyText(rows.margin[i])}` : status(i)));
  if (!isGiven(i) && rows.second[i] >= 0 && (full || rows.margin[i] < 800)) lines.push(el("div", {}, `next best: ${name(rows.second[i])}`));
  if (isWrong(i)) lines.push(el("div", { class: "bad-t" }, `truth: ${name(rows.truth[i])}, wrong`));
  else if (isKnown(i)) lines.push(el("div", { class: "f" }, "right"));
  if (rows.text) lines.push(el("div", {}, cut(rows.text[i], 300)));
  lines.push(el("div", { class: "f" }, fileName(i)));
  return el("div", {}, ...lines);
}

function point(i) {
  map.hover = i;
  const tip = $("#tip");
  tip.hidden = i < 0;
  refreshRings();
  if (i < 0) return;
  const picture = thumb(i, 64);
  tip.replaceChildren(...(picture ? [picture] : []), details(i, false));
  const { offsetWidth: w, offsetHeight: h } = tip, x = mapX(i), y = mapY(i);
  const left = x + 14 + w > map.width ? x - w - 14 : x + 14;
  tip.style.transform = `translate(${Math.max(6, Math.min(map.width - w - 6, left))}px,${Math.max(6, Math.min(map.height - h - 6, y - h / 2))}px)`;
}

function select(i, scroll = false) {
  map.pin = i;
  if (i < 0) return;
  const picture = thumb(i, 72), title = isGiven(i) ? `A given ${noun}` : `Selected ${noun}`;
  $("#why").replaceChildren(el("h3", {}, title), el("div", { class: "one" }, ...(picture ? [picture] : []), details(i, true)));
  refreshRings();
  if (scroll) { $("#map").scrollIntoView({ block: "start" }); map.dots.focus({ preventScroll: true }); }
}

/** Selects a row from elsewhere on the page, making it visible first. */
function showOnMap(i) {
  if (!isOnMap(i)) return;
  if (!isDrawn(i)) { light([]); map.only = $("#only").checked = false; }
  select(i, true);
}

function nearest(x, y, reach) {
  let best = -1, least = reach * reach;
  for (const i of everyRow) {
    if (!isDrawn(i)) continue;
    const away = (mapX(i) - x) ** 2 + (mapY(i) - y) ** 2;
    if (away < least) { least = away; best = i; }
  }
  return best;
}

/* ---- zoom ---- */

function clampView() {
  const { view } = map;
  view.x = Math.min(0, Math.max(map.width * (1 - view.scale), view.x));
  view.y = Math.min(0, Math.max(map.height * (1 - view.scale), view.y));
  map.dots.style.touchAction = view.scale > 1 ? "none" : "pan-y";
}

function zoom(factor, x = map.width / 2, y = map.height / 2) {
  const { view } = map, scale = Math.max(1, Math.min(CLOSEST, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  clampView();
  if (map.hover >= 0) point(map.hover);
  drawMap();
}

function zoomIn() {
  const i = map.hover >= 0 ? map.hover : map.pin;
  if (i >= 0 && isOnMap(i)) zoom(STEP, mapX(i), mapY(i)); else zoom(STEP);
}
const zoomOut = () => zoom(1 / STEP);
const zoomAll = () => { map.view = { scale: 1, x: 0, y: 0 }; clampView(); point(-1); drawMap(); };

/* ---- pointer and keys ---- */

function startPointer() {
  let drag = null;
  const place = event => { const box = map.dots.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  map.dots.addEventListener("pointermove", event => {
    if (drag) {
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      map.view.x = drag.viewX + dx; map.view.y = drag.viewY + dy;
      drag.moved ||= Math.hypot(dx, dy) > 4;
      clampView();
      if (drag.moved) point(-1);
      drawMap();
    } else if (event.pointerType === "mouse") {
      const i = nearest(...place(event), NEAR);
      if (i !== map.hover) point(i);
    }
  });
  map.dots.addEventListener("pointerdown", event => {
    if (map.view.scale <= 1) return;
    drag = { x: event.clientX, y: event.clientY, viewX: map.view.x, viewY: map.view.y, moved: false };
    map.dots.setPointerCapture(event.pointerId);
  });
  map.dots.addEventListener("pointerup", event => {
    const moved = drag && drag.moved;
    drag = null;
    if (moved) return;
    const i = nearest(...place(event), event.pointerType === "mouse" ? NEAR : NEAR_TOUCH);
    point(i);
    if (i >= 0) select(i);
  });
  map.dots.addEventListener("pointercancel", () => { drag = null; });
  map.dots.addEventListener("pointerleave", () => { if (map.hover >= 0) point(-1); });
  map.dots.addEventListener("blur", () => point(-1));
  map.dots.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 180), ...place(event));
  }, { passive: false });
}

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The nearest row in a direction: within some 58 degrees of it, straight ahead preferred. */
function ahead(from, [dx, dy]) {
  let best = -1, least = Infinity;
  const x = mapX(from), y = mapY(from);
  for (const i of everyRow) {
    if (i === from || !isDrawn(i)) continue;
    const along = (mapX(i) - x) * dx + (mapY(i) - y) * dy, across = Math.abs((mapX(i) - x) * dy) + Math.abs((mapY(i) - y) * dx);
    if (along <= 0.5 || across > along * 1.6) continue;
    if (along + 2 * across < least) { least = along + 2 * across; best = i; }
  }
  return best;
}

function stepTo(direction) {
  const pinned = map.pin >= 0 && isDrawn(map.pin) ? map.pin : nearest(map.width / 2, map.height / 2, 1e5);
  const i = map.hover < 0 ? pinned : ahead(map.hover, direction);
  if (i >= 0) { point(i); announce(spoken(i)); }
}

function onKey(event) {
  const act = {
    Enter: () => map.hover >= 0 && select(map.hover), " ": () => map.hover >= 0 && select(map.hover),
    "+": zoomIn, "=": zoomIn, "-": zoomOut, 0: zoomAll, Escape: () => { point(-1); light([]); },
  }[event.key];
  const direction = ARROWS[event.key];
  if ((!act && !direction) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (direction) stepTo(direction); else act();
}

/* ---- colors and legend ---- */

function colorBy(by) {
  map.by = by;
  $$("#by button").forEach(button => button.setAttribute("aria-pressed", String(button.value === by)));
  $$("#keys [data-for]").forEach(key => { key.hidden = key.dataset.for !== by; });
  drawMap();
}

/** Shows these classes only; with more classes than colors, at most six, in colors of their own. */
function light(codes) {
  const changed = codes.length !== map.lit.length || codes.some((code, at) => code !== map.lit[at]);
  map.lit = codes.slice(-MOST_LIT);
  $$("#legend li").forEach(item => {
    const button = $("button", item), code = +button.value, on = map.lit.includes(code);
    button.setAttribute("aria-pressed", String(on));
    item.classList.toggle("dim", colorful && map.lit.length > 0 && !on);
    if (!colorful) {
      button.style.setProperty("--k", on ? `var(--c${map.lit.indexOf(code)})` : "");
      $("i", button).className = on ? `m${data.marks[map.lit.indexOf(code)]}` : "";
    }
  });
  if ($("#all")) $("#all").disabled = !map.lit.length;
  if (changed) announce(map.lit.length ? `Only ${map.lit.map(name).join(", ")} shown` : "All classes shown");
  if (changed && !colorful) colorBy(map.lit.length ? "label" : "kept"); else drawMap();
}

function toggleClass(code) {
  if (map.lit.includes(code)) light(map.lit.filter(other => other !== code));
  else light(colorful ? [code] : [...map.lit, code]);
}

/** Colors that depend on the threshold; a map out of sight waits, so that the slider stays quick. */
function followThreshold() {
  if (map.by !== "kept" && !map.only) return;
  if (map.visible) drawMap(); else map.stale = true;
}

function startMap() {
  if (!map.dots || !rows.x) return;
  map.middles = middles();
  map.by = colorful && data.classes.length > 1 ? "label" : "kept";
  readColors();
  loadSheets();
  startPointer();
  map.dots.addEventListener("keydown", onKey);
  $("#closer").addEventListener("click", zoomIn);
  $("#farther").addEventListener("click", zoomOut);
  $("#whole").addEventListener("click", zoomAll);
  $$("#by button").forEach(button => button.addEventListener("click", () => colorBy(button.value)));
  $("#only").addEventListener("change", event => { map.only = event.target.checked; drawMap(); });
  $$("#legend button").forEach(button => button.addEventListener("click", () => toggleClass(+button.value)));
  $("#all")?.addEventListener("click", () => light([]));
  $("#find-class")?.addEventListener("input", event => {
    const wanted = event.target.value.trim().toLowerCase();
    $$("#legend li").forEach(item => { item.hidden = !data.classes[+$("button", item).value].toLowerCase().includes(wanted); });
  });
  trust.listeners.push(followThreshold);
  new IntersectionObserver(([entry]) => {
    map.visible = entry.isIntersecting;
    if (map.visible && map.stale) drawMap();
  }).observe(map.dots);
  colorBy(map.by);
}
