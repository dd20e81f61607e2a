// Variants as rows of chevrons. Names only ever become text, never markup.
const made = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const rows = data.variants.map(variant => {
    const bar = made('i', {});
    bar.style.width = variant.width + '%';
    const way = variant.activities.map((name, place) => {
      const chevron = made('span', { title: name, textContent: name });
      chevron.style.setProperty('--mark', variant.colours[place]);
      return chevron;
    });
    if (variant.more) way.push(made('em', { textContent: variant.more }));
    const keep = made('button', { type: 'button', textContent: 'Only these', title: 'Keep only the cases of this variant' });
    keep.onclick = () => setTriggerValue('variant', variant.variant);
    const row = made('div', { className: 'row' },
      made('div', { className: 'facts' },
        made('b', { textContent: variant.title }), made('div', { className: 'track' }, bar),
        made('span', { className: 'more', textContent: variant.facts })),
      made('div', { className: 'way' }, ...way), keep);
    row.setAttribute('role', 'listitem');
    return row;
  });
  parentElement.querySelector('.list').replaceChildren(...rows);
}
