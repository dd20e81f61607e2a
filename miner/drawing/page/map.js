'use strict';
const $ = id => document.getElementById(id);
const { activities, paths, views } = JSON.parse($('views').textContent);
const state = { at: -1, x: 0, y: 0, zoom: 1 };
const stage = () => $('view-' + state.at).querySelector('.stage');
const percent = share => Math.round(share * 100) + ' %';

function draw() {
  const svg = stage(), { width, height } = svg.getBoundingClientRect();
  svg.setAttribute('viewBox', [state.x, state.y, width / state.zoom, height / state.zoom].join(' '));
}
function fit() {
  const svg = stage(), { width, height } = svg.getBoundingClientRect();
  const [wide, high] = [+svg.dataset.width, +svg.dataset.height];
  state.zoom = Math.max(0.02, Math.min(width / (wide + 24), height / (high + 24), 1.5));
  state.x = (wide - width / state.zoom) / 2;
  state.y = (high - height / state.zoom) / 2;
  draw();
}
function zoomAt(px, py, factor) {
  const zoom = Math.max(0.02, Math.min(6, state.zoom * factor));
  state.x += px / state.zoom - px / zoom;
  state.y += py / state.zoom - py / zoom;
  state.zoom = zoom;
  draw();
}
function zoomBy(factor) {
  const { width, height } = stage().getBoundingClientRect();
  zoomAt(width / 2, height / 2, factor);
}

const nearest = (steps, share) => steps.reduce((best, step, i) =>
  Math.abs(step - share) < Math.abs(steps[best] - share) ? i : best, 0);
function choose(first) {
  const row = nearest(activities, $('activities').value / 100);
  const column = nearest(paths, $('paths').value / 100);
  const at = views[row * paths.length + column].view;
  $('activities-shown').textContent = percent(activities[row]);
  $('paths-shown').textContent = percent(paths[column]);
  const note = views[row * paths.length + column].extent;
  $('note').textContent = first ? '' : note + ' · nearest of the views prepared in this page';
  if (at === state.at) return;
  for (const view of document.querySelectorAll('.view')) view.hidden = view.id !== 'view-' + at;
  state.at = at;
  fit();
  find();
}

const nameOf = box => box.querySelector('title').textContent.split('\n')[0];
function find() {
  const wanted = $('find').value.trim().toLowerCase();
  const boxes = [...stage().querySelectorAll('[data-activity]')];
  const found = boxes.filter(box => wanted && nameOf(box).toLowerCase().includes(wanted));
  for (const box of boxes) box.toggleAttribute('data-found', found.includes(box));
  $('found').textContent = wanted ? found.length + ' found' : '';
  if (!found.length) return;
  const { x, y, width, height } = found[0].getBBox();
  const room = stage().getBoundingClientRect();
  state.zoom = Math.max(state.zoom, 0.9);
  state.x = x + width / 2 - room.width / state.zoom / 2;
  state.y = y + height / 2 - room.height / state.zoom / 2;
  draw();
}

function hover(target) {
  const svg = stage(), box = target && target.closest('[data-activity], [data-terminal]');
  for (const near of svg.querySelectorAll('[data-near]')) near.removeAttribute('data-near');
  svg.toggleAttribute('data-hovered', !!box);
  if (!box) return;
  const id = box.dataset.activity ?? box.dataset.terminal, ids = new Set([id]);
  for (const part of svg.querySelectorAll('[data-from]')) {
    if (part.dataset.from !== id && part.dataset.to !== id) continue;
    part.setAttribute('data-near', '');
    ids.add(part.dataset.from).add(part.dataset.to);
  }
  for (const part of svg.querySelectorAll('[data-activity], [data-terminal]'))
    if (ids.has(part.dataset.activity ?? part.dataset.terminal)) part.setAttribute('data-near', '');
}

let drag = null;
const main = document.querySelector('main');
main.addEventListener('pointerdown', event => {
  const svg = event.target.closest('.stage');
  if (!svg) return;
  drag = { x: event.clientX, y: event.clientY };
  svg.setPointerCapture(event.pointerId);
  svg.classList.add('dragged');
});
main.addEventListener('pointermove', event => {
  if (!drag) return hover(event.target);
  state.x -= (event.clientX - drag.x) / state.zoom;
  state.y -= (event.clientY - drag.y) / state.zoom;
  drag = { x: event.clientX, y: event.clientY };
  draw();
});
for (const end of ['pointerup', 'pointercancel'])
  main.addEventListener(end, () => { drag = null; stage().classList.remove('dragged'); });
main.addEventListener('pointerleave', () => hover(null));
main.addEventListener('wheel', event => {
  if (!event.target.closest('.stage')) return;
  event.preventDefault();
  const room = stage().getBoundingClientRect();
  zoomAt(event.clientX - room.left, event.clientY - room.top, Math.exp(-event.deltaY * 0.0015));
}, { passive: false });
main.addEventListener('keydown', event => {
  const step = 60 / state.zoom;
  const act = {
    '+': () => zoomBy(1.25), '-': () => zoomBy(0.8), '0': fit,
    ArrowLeft: () => { state.x -= step; draw(); }, ArrowRight: () => { state.x += step; draw(); },
    ArrowUp: () => { state.y -= step; draw(); }, ArrowDown: () => { state.y += step; draw(); },
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
for (const id of ['activities', 'paths']) $(id).addEventListener('input', () => choose(false));
$('find').addEventListener('input', find);
$('in').addEventListener('click', () => zoomBy(1.25));
$('out').addEventListener('click', () => zoomBy(0.8));
$('fit').addEventListener('click', fit);
addEventListener('resize', fit);
choose(true);
document.documentElement.dataset.ready = '';
