/* Threshold and trust curve. Kept rows always end at a whole level: all rows of a certainty, or none. */

const trust = { kept: data.kept, threshold: data.threshold, listeners: [] };

let before = 0, knownBefore = 0, rightBefore = 0;
const levels = data.levels.map(([value, count, known, right]) => {
  before += count; knownBefore += known; rightBefore += right;
  return { value, kept: before, known: knownBefore, right: rightBefore };
});
const lastLevel = levels[levels.length - 1];
const levelAt = kept => levels.find(level => level.kept >= kept) || lastLevel;

const isKept = i => isGiven(i) || (isReached(i) && rows.certainty[i] >= trust.threshold);
const toCheck = i => !isGiven(i) && isReached(i) && rows.certainty[i] < trust.threshold;

/** The sentence about what is kept, as nodes; the same words as the page was written with (macro `kept`). */
function reading() {
  const level = levelAt(trust.kept), { kept } = trust, left = data.n - kept;
  const bold = text => el("b", {}, text), some = data.truth === "some";
  const of = known => (some ? `of the ${number(known)} with truth` : "of them");
  const parts = [bold(number(kept)), ` of ${number(data.n)} ${data.n === 1 ? noun : nouns} kept (`, bold(percent(kept, data.n)), ")"];
  const stay = level.known - level.right, rest = lastLevel.known - level.known;
  if (level.known) {
    const [low, high] = wilson(level.right, level.known).map(percentOf);
    parts.push(", ", bold(percent(level.right, level.known)), ` ${of(level.known)} right (95% interval ${low} to ${high})`);
  }
  parts.push(`; ${number(left)} left to check`);
  if (rest) parts.push(", ", el("span", { class: "bad-t" }, `${number(data.wrong - stay)} ${of(rest)} wrong`));
  return [...parts, data.truth === "none" ? "." : `. Wrong ones kept: ${number(stay)}.`];
}

/** Keeps at least `count` rows where the number grows, at most where it falls. */
function keep(count, threshold = null) {
  let index = levels.findIndex(level => level.kept >= count);
  if (index < 0) index = levels.length - 1;
  if (count < trust.kept && levels[index].kept > count && index > 0) index -= 1;
  trust.kept = levels[index].kept;
  trust.threshold = threshold ?? levels[index].value;
  $("#slider").value = trust.kept;
  if (threshold === null) $("#least").value = certaintyText(trust.threshold);
  $("#reading").replaceChildren(...reading());
  $("#slider").setAttribute("aria-valuetext", $("#reading").textContent);
  const targets = $$("#targets button"), shown = targets.findLast(button => !button.disabled && +button.value === trust.kept);
  targets.forEach(button => button.setAttribute("aria-pressed", String(button === shown)));
  trust.listeners.forEach(listener => listener());
}

/** Keeps what is at least as certain as the number in the box. */
function keepTyped() {
  const typed = Math.round(1000 * Math.max(0, Math.min(1, +$("#least").value || 0)));
  const level = levels.filter(entry => entry.value >= typed).pop();
  if (level) keep(level.kept, typed); else keep(1);
  announce($("#reading").textContent);
}

/* ---- the curve ---- */

const AXIS_STARTS = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97];

function axisStart() {
  const counted = data.curve.filter(([kept, , known]) => known && kept >= 0.2 * data.n);
  const lowest = Math.min(1, ...counted.map(([, , known, right]) => wilson(right, known)[0]));
  return AXIS_STARTS.filter(start => start === 0 || start <= lowest - 0.002).pop();
}

function drawCurve() {
  const box = $("#curve"), width = Math.max(250, box.clientWidth), narrow = width < 560;
  const measured = data.truth !== "none", base = narrow ? 226 : 262, below = measured ? 62 : 14;
  const plot = { left: 46, right: width - (narrow ? 12 : 22), top: 18, base, end: base + below, narrow, measured };
  plot.x = kept => plot.left + (plot.right - plot.left) * kept / data.n;
  plot.start = measured ? axisStart() : 0;
  plot.y = share => plot.top + (base - plot.top) * (1 - (Math.max(share, plot.start) - plot.start) / (1 - plot.start));
  $("#slide").style.padding = `0 ${width - plot.right - 8}px 0 ${plot.left - 8}px`;
  const label = measured
    ? "Share right among those kept, by share kept. The sentence above gives the reading at the slider, the table below the same in steps."
    : `Certainty of each ${noun}, most certain first. The table below gives the same in steps.`;
  const height = plot.end + 44;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  drawing.append(...grid(plot), ...shares(plot), ...(measured ? errors(plot) : []), ...places(plot), ...marker(plot));
  box.replaceChildren(drawing);
}

function grid(plot) {
  const span = 1 - plot.start;
  const step = !plot.measured ? 0.25 : span > 0.3 ? 0.1 : span > 0.12 ? 0.05 : span > 0.06 ? 0.02 : 0.01;
  const drawn = [];
  for (let share = 1; share >= plot.start - 1e-9; share -= step) {
    const y = plot.y(share), text = plot.measured ? Math.round(share * 100) + "%" : share.toFixed(2);
    drawn.push(svg("line", { class: "ax", x1: plot.left, x2: plot.right, y1: y, y2: y }));
    drawn.push(svg("text", { x: plot.left - 8, y: y + 4, "text-anchor": "end" }, text));
  }
  const from = plot.x(trust.kept);
  drawn.push(svg("rect", { x: from, y: plot.top, width: Math.max(0, plot.right - from), height: plot.end - plot.top, fill: "var(--check)", opacity: 0.13 }));
  return drawn;
}

function shares(plot) {
  const at = (x, y) => `${plot.x(x).toFixed(1)},${plot.y(y).toFixed(1)}`;
  const title = plot.measured ? `Right, among the ${nouns} kept` : `Certainty of the ${noun} at this place`;
  const counted = plot.measured ? data.curve.filter(([, , known]) => known) : data.curve;
  const line = counted.map(([kept, value, known, right]) => at(kept, plot.measured ? right / known : value / 1000));
  const drawn = [];
  if (plot.measured) {
    const bounds = counted.map(([kept, , known, right]) => [kept, ...wilson(right, known)]);
    const upper = bounds.map(([kept, , high]) => at(kept, high)), lower = bounds.map(([kept, low]) => at(kept, low));
    drawn.push(svg("polygon", { points: [...upper, ...lower.reverse()].join(" "), fill: "var(--band)" }));
    const third = bounds.find(([kept]) => kept >= 0.3 * data.n);
    if (third) drawn.push(svg("text", { x: plot.x(third[0]), y: Math.min(plot.base - 6, plot.y(third[1]) + 18), class: "halo" }, plot.narrow ? "95% interval" : "band: 95% interval"));
  }
  drawn.push(svg("polyline", { class: "curve own", points: line.join(" ") }));
  drawn.push(svg("line", { class: "ax0", x1: plot.left, x2: plot.right, y1: plot.base, y2: plot.base }));
  drawn.push(svg("text", { x: plot.left, y: plot.top - 6, class: "strong halo" }, title));
  return drawn;
}

/** A cross for every error, or a histogram of many. */
function errors(plot) {
  if (!data.wrong) return [svg("text", { x: plot.left, y: plot.base + 19, class: "halo" }, "No error to mark.")];
  const top = plot.base + 42, drawn = [];
  if (data.errors) {
    let last = -99, lane = 0;
    for (const place of data.errors) {
      const x = plot.x(place + 0.5);
      lane = x - last < 5 ? (lane + 1) % 3 : 0;
      last = x;
      drawn.push(svg("path", { d: `M${x - 3} ${top + lane * 7 - 10}l6 6m0 -6l-6 6`, stroke: "var(--wrong)", "stroke-width": 1.6 }));
    }
  } else {
    const most = Math.max(...data.histogram), bins = data.histogram.length;
    data.histogram.forEach((count, bin) => {
      const height = 26 * count / most;
      drawn.push(svg("rect", { x: plot.x(data.n * bin / bins), width: (plot.right - plot.left) / bins - 1, y: top + 14 - height, height, fill: "var(--wrong)" }));
    });
  }
  const many = number(data.wrong);
  const crosses = data.wrong === 1 ? "× is the one error" : plot.narrow ? `× = one of ${many} wrong` : `Each × is one of the ${many} wrong ${nouns}`;
  drawn.push(svg("text", { x: plot.left, y: plot.base + 19, class: "errors halo" }, data.errors ? crosses : `Where the ${many} wrong ${nouns} lie`));
  return drawn;
}

/** The axis: share kept, and under it the certainty at that place. */
function places(plot) {
  const drawn = [svg("line", { class: "ax0", x1: plot.left, x2: plot.right, y1: plot.end, y2: plot.end })];
  for (const share of plot.narrow ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
    const x = plot.x(share * data.n), anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    const value = certaintyText(levelAt(Math.max(1, Math.round(share * data.n))).value);
    drawn.push(svg("line", { class: "ax0", x1: x, x2: x, y1: plot.end, y2: plot.end + 4 }));
    drawn.push(svg("text", { x, y: plot.end + 18, "text-anchor": anchor }, share * 100 + "%" + (share ? "" : " kept")));
    drawn.push(svg("text", { x, y: plot.end + 34, "text-anchor": anchor }, (share ? "" : "certainty ") + value));
  }
  return drawn;
}

function marker(plot) {
  const level = levelAt(trust.kept), x = plot.x(trust.kept), left = x > plot.left + 120;
  const drawn = [svg("line", { x1: x, x2: x, y1: plot.top, y2: plot.end, stroke: "var(--ink)", "stroke-width": 1.25 })];
  if (plot.measured && !level.known) return drawn;
  const y = plot.y(plot.measured ? level.right / level.known : level.value / 1000);
  const text = plot.measured ? percent(level.right, level.known) + " right" : certaintyText(level.value);
  drawn.push(svg("circle", { cx: x, cy: y, r: 5, fill: "var(--ink)", stroke: "var(--bg)", "stroke-width": 2 }));
  drawn.push(svg("text", { x: x + (left ? -10 : 10), y: Math.max(plot.top + 14, y - 10), "text-anchor": left ? "end" : "start", class: "strong reading halo" }, text));
  return drawn;
}

function startTrust() {
  if (!$("#slider")) return;
  trust.listeners.push(drawCurve);
  $("#slider").addEventListener("input", event => keep(+event.target.value));
  $("#least").addEventListener("change", keepTyped);
  $$("#targets button").forEach(button => button.addEventListener("click", () => {
    keep(+button.value);
    announce($("#reading").textContent);
  }));
  keep(data.kept);
}
