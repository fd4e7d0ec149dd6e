// The two endpoints of the interpolation, and the images to choose them from.

import { paint, imageAt } from './asker.js';

const ROW = 10;

const at = (id) => document.getElementById(id);

export class Gallery {
    // `chosen()` is called when an image is selected.
    constructor(space, chosen) {
        Object.assign(this, { space, chosen, slot: 0 });
        const places = space.gallery, other = places.findLast((place) => this.word(place) !== this.word(places[0]));
        this.places = [places[0], other ?? places.at(-1)];
        at('gallery-note').textContent = `${space.count.toLocaleString('en')} ${space.images}; a selection:`;
        this.buttons = places.map((place, k) => this.button(place, k));
        this.buttons[0].tabIndex = 0;
        at('gallery').addEventListener('keydown', (event) => this.key(event));
        for (const slot of [0, 1]) {
            at(`place-${slot}`).max = space.count - 1;
            at(`place-${slot}`).addEventListener('change', (event) => {
                if (event.target.reportValidity()) this.choose(slot, Number(event.target.value));
            });
            at(`pick-${slot}`).addEventListener('click', () => this.aim(slot));
            this.show(slot);
        }
    }

    word(place) {
        const { labels, classes } = this.space;
        return labels ? `class ${classes[labels[place]] ?? labels[place]}` : '';
    }

    button(place, k) {
        const [height, width] = this.space.shape, rows = Math.ceil(this.space.gallery.length / ROW);
        const button = document.createElement('button');
        Object.assign(button, { type: 'button', tabIndex: -1, title: [`image ${place}`, this.word(place)].filter(Boolean).join(', ') });
        button.setAttribute('aria-label', button.title);
        Object.assign(button.style, {
            aspectRatio: `${width} / ${height}`,
            backgroundImage: 'url(/gallery.png)',
            backgroundSize: `${100 * ROW}% ${100 * rows}%`,
            backgroundPosition: `${100 * (k % ROW) / (ROW - 1)}% ${rows > 1 ? 100 * Math.floor(k / ROW) / (rows - 1) : 0}%`,
        });
        button.addEventListener('click', () => {
            const slot = this.slot;
            this.aim(1 - slot);
            this.choose(slot, place);
        });
        at('gallery').append(button);
        return button;
    }

    // Arrow keys move between the images, which are a single tab stop.
    key(event) {
        const columns = getComputedStyle(at('gallery')).gridTemplateColumns.split(' ').length;
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        const next = this.buttons[this.buttons.indexOf(document.activeElement) + step];
        if (!step || !next) return;
        event.preventDefault();
        document.activeElement.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
    }

    // Selects the endpoint that the next click sets.
    aim(slot) {
        this.slot = slot;
        for (const other of [0, 1]) at(`pick-${other}`).setAttribute('aria-pressed', other === slot);
    }

    choose(slot, place) {
        this.places[slot] = place;
        this.show(slot);
        this.chosen();
    }

    async show(slot) {
        const place = this.places[slot];
        at(`place-${slot}`).value = place;
        at(`class-${slot}`).textContent = this.word(place);
        this.buttons.forEach((button, k) => button.classList.toggle('chosen', this.places.includes(this.space.gallery[k])));
        const found = await imageAt(place);
        if (place === this.places[slot]) paint(at(`pick-${slot}`).querySelector('canvas'), found);
    }
}
