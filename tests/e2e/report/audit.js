// What a reader would trip over, as a list of sentences for each function.

const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

function* texts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName) || !visible(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    if (boxes.length) yield { node, element, boxes, what: `“${node.data.trim().slice(0, 40)}”` };
  }
}

function outside() {
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide in a window of ${innerWidth}`);
  for (const { element, boxes, what } of texts()) {
    const frame = element.closest(".answer, .card, .panel, main").getBoundingClientRect();
    for (const box of boxes) {
      if (box.left < frame.left - 1 || box.right > frame.right + 1) found.push(`${what} leaves its frame`);
    }
    for (let each = element; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.textOverflow === "ellipsis" || (style.overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1)) {
        found.push(`${what} is cut by ${each.tagName} ${each.className}`);
      }
    }
  }
  return found;
}

function overlapping() {
  const found = [], seen = [];
  for (const { node, boxes, what } of texts()) {
    for (const box of boxes) {
      for (const other of seen) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (other.node !== node && across > 1 && down > 6) found.push(`${what} lies on ${other.what}`);
      }
      seen.push({ box, node, what });
    }
  }
  return found;
}

const small = (least) => [...texts()].flatMap(({ element, what }) => {
  const size = parseFloat(getComputedStyle(element).fontSize);
  return size < least ? [`${what} has ${size} px`] : [];
});

const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = (colour) => {
  const [r, g, b] = channels(colour).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
function ground(element) {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor, parts = channels(colour);
    if (parts.length < 4 || parts[3] === 1) return colour;
    if (parts[3] > 0) throw new Error(`a translucent ground: ${each.className}`);
  }
  return "rgb(255, 255, 255)";
}

// WCAG 2.2: 1.4.3 for text, 1.4.11 for the marks of plots.
function faint() {
  const found = [];
  const check = (colour, element, least, what) => {
    const ratio = contrast(colour, ground(element));
    if (ratio < least) found.push(`${what} has a contrast of ${ratio.toFixed(2)}`);
  };
  for (const { element, what } of texts()) {
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    check(style.color, element, large ? 3 : 4.5, what);
  }
  for (const input of document.querySelectorAll("input")) {
    check(getComputedStyle(input, "::placeholder").color, input, 4.5, "the placeholder");
    check(getComputedStyle(input).borderTopColor, input.parentElement, 3, "the frame of the search");
  }
  for (const mark of document.querySelectorAll("circle, polyline, .interval, .threshold, .bar, .target")) {
    if (!visible(mark)) continue;
    const style = getComputedStyle(mark), colour = style.stroke === "none" ? style.fill : style.stroke;
    check(colour, mark.closest("svg[role], .key").parentElement, 3, `${mark.tagName} ${mark.getAttribute("class")}`);
  }
  return found;
}

const nameless = () => [...document.querySelectorAll("svg, img, canvas, input")].flatMap((element) => {
  if (element.closest("svg svg") || element.closest("[aria-hidden=true]")) return [];
  const named = element.getAttribute("aria-label")?.trim();
  const isImage = element.tagName === "INPUT" || element.getAttribute("role") === "img";
  return named && isImage ? [] : [`${element.tagName} ${element.getAttribute("class")} has no name`];
});

const moving = () => [...document.querySelectorAll("*")].flatMap((element) =>
  [null, "::before", "::after"].flatMap((part) => {
    const style = getComputedStyle(element, part);
    const still = [style.transitionDuration, style.animationDuration].every((time) => parseFloat(time) === 0);
    return still && style.scrollBehavior !== "smooth" ? [] : [`${element.tagName}${part ?? ""} moves`];
  }));
