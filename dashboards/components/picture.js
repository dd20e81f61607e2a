// A picture to pan, zoom and search. The SVG comes from this project's own drawing, which escapes
// every name; it is parsed as XML and never as HTML.
const shown = new WeakMap();
const parsed = text => document.importNode(new DOMParser().parseFromString(text, 'image/svg+xml').documentElement, true);

export default function (component) {
  const { data, parentElement } = component;
  let picture = shown.get(parentElement);
  if (!picture) shown.set(parentElement, picture = new Picture(parentElement));
  picture.show(data);
  return () => { picture.end(); shown.delete(parentElement); };
}

class Picture {
  constructor(root) {
    const get = name => root.querySelector('.' + name);
    this.frame = get('frame');
    this.legend = get('legend');
    this.stage = get('stage');
    this.found = get('found');
    this.search = get('find');
    get('in').onclick = () => this.zoomBy(1.25);
    get('out').onclick = () => this.zoomBy(0.8);
    get('fit').onclick = () => this.fit(true);
    get('full').onclick = () => document.fullscreenElement ? document.exitFullscreen() : this.frame.requestFullscreen();
    this.search.oninput = () => this.find();
    this.listen();
    this.sizes = new ResizeObserver(() => this.svg && (this.moved ? this.draw() : this.fit()));
    this.sizes.observe(this.stage);
  }
  end() { this.sizes.disconnect(); }

  show(data) {
    this.search.parentElement.hidden = !data.search;
    if (data.stage === this.text) return;
    this.text = data.stage;
    this.long = data.long;
    this.legend.replaceChildren(...(data.legend ? [parsed(data.legend)] : []));
    this.svg = parsed(data.stage);
    this.wide = parseFloat(this.svg.getAttribute('width'));
    this.high = parseFloat(this.svg.getAttribute('height'));
    this.svg.removeAttribute('width');
    this.svg.removeAttribute('height');
    this.svg.setAttribute('aria-label', data.label);
    const ground = this.svg.querySelector(':scope > rect[width="100%"]');
    this.stage.style.background = ground?.getAttribute('fill') ?? '';
    ground?.remove();
    this.stage.replaceChildren(this.svg);
    this.moved = false;
    this.size(data.height);
    this.fit();
    this.find();
    this.frame.dataset.ready = '';
  }

  size(most) {
    this.frame.style.height = most + 'px';
    const { width, height } = this.room();
    if (!width) return;
    const readable = this.long ? Math.max(0.72, width / this.wide) : width / this.wide;
    const needed = this.high * Math.min(1.15, readable) + 16;
    this.frame.style.height = Math.min(most, Math.max(320, most - height + needed)) + 'px';
  }
  room() { return this.stage.getBoundingClientRect(); }
  draw() {
    const { width, height } = this.room();
    if (width) this.svg.setAttribute('viewBox', [this.x, this.y, width / this.zoom, height / this.zoom].join(' '));
  }
  fit(all) {
    const { width, height } = this.room();
    if (!width) return;
    const whole = Math.min(width / this.wide, height / this.high);
    // Names must stay readable: rather the top of a tall map than all of it too small.
    this.zoom = Math.min(1.15, all ? whole : Math.max(whole, Math.min(width / this.wide, 0.62)));
    // The same goes for a long model, which is read from its beginning.
    const long = this.long && !all && width / this.wide < 0.62;
    if (long) this.zoom = 0.72;
    this.x = long ? 0 : (this.wide - width / this.zoom) / 2;
    this.y = Math.min(0, (this.high - height / this.zoom) / 2);
    if (all || this.high * this.zoom <= height) this.y = (this.high - height / this.zoom) / 2;
    this.moved = !!all;
    this.draw();
  }
  zoomAt(px, py, factor) {
    const zoom = Math.max(0.05, Math.min(6, this.zoom * factor));
    this.x += px / this.zoom - px / zoom;
    this.y += py / this.zoom - py / zoom;
    this.zoom = zoom;
    this.moved = true;
    this.draw();
  }
  zoomBy(factor) {
    const { width, height } = this.room();
    this.zoomAt(width / 2, height / 2, factor);
  }
  move(dx, dy) {
    this.x -= dx / this.zoom;
    this.y -= dy / this.zoom;
    this.moved = true;
    this.draw();
  }

  listen() {
    const stage = this.stage;
    let drag = null;
    stage.onpointerdown = event => {
      drag = event;
      stage.setPointerCapture(event.pointerId);
      stage.classList.add('dragged');
    };
    stage.onpointermove = event => {
      if (!drag) return this.near(event.target);
      this.move(event.clientX - drag.clientX, event.clientY - drag.clientY);
      drag = event;
    };
    stage.onpointerup = stage.onpointercancel = () => { drag = null; stage.classList.remove('dragged'); };
    stage.onpointerleave = () => this.near(null);
    stage.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.metaKey && document.fullscreenElement !== this.frame && !stage.matches(':focus-within, :focus')) return;
      event.preventDefault();
      const { left, top } = this.room();
      this.zoomAt(event.clientX - left, event.clientY - top, Math.exp(-event.deltaY * 0.0015));
    }, { passive: false });
    stage.onkeydown = event => {
      const act = {
        '+': () => this.zoomBy(1.25), '-': () => this.zoomBy(0.8), '0': () => this.fit(true),
        ArrowLeft: () => this.move(60, 0), ArrowRight: () => this.move(-60, 0),
        ArrowUp: () => this.move(0, 60), ArrowDown: () => this.move(0, -60),
      }[event.key];
      if (act) { event.preventDefault(); act(); }
    };
  }

  find() {
    const wanted = this.search.value.trim().toLowerCase();
    const name = box => box.querySelector('title')?.textContent.split('\n')[0].toLowerCase() ?? '';
    const boxes = [...(this.svg?.querySelectorAll('[data-activity]') ?? [])];
    const found = boxes.filter(box => wanted && name(box).includes(wanted));
    for (const box of boxes) box.toggleAttribute('data-found', found.includes(box));
    this.found.textContent = wanted ? found.length + ' found' : '';
    if (!found.length) return;
    const { x, y, width, height } = found[0].getBBox();
    const room = this.room(), place = found[0].parentElement.transform.baseVal;
    const { e, f } = place.consolidate()?.matrix ?? this.offset(found[0]);
    this.zoom = Math.max(this.zoom, 0.9);
    this.x = e + x + width / 2 - room.width / this.zoom / 2;
    this.y = f + y + height / 2 - room.height / this.zoom / 2;
    this.moved = true;
    this.draw();
  }
  offset(box) {
    const placed = box.closest('g[transform]');
    return placed?.transform.baseVal.consolidate()?.matrix ?? { e: 0, f: 0 };
  }

  near(target) {
    const box = target && target.closest('[data-activity], [data-terminal]');
    for (const part of this.svg.querySelectorAll('[data-near]')) part.removeAttribute('data-near');
    this.svg.toggleAttribute('data-hovered', !!box);
    if (!box) return;
    const id = box.dataset.activity ?? box.dataset.terminal, ids = new Set([id]);
    for (const part of this.svg.querySelectorAll('[data-from]')) {
      if (part.dataset.from !== id && part.dataset.to !== id) continue;
      part.setAttribute('data-near', '');
      ids.add(part.dataset.from).add(part.dataset.to);
    }
    for (const part of this.svg.querySelectorAll('[data-activity], [data-terminal]'))
      if (ids.has(part.dataset.activity ?? part.dataset.terminal)) part.setAttribute('data-near', '');
  }
}
