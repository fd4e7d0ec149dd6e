// The page: its controls form a move, the server decodes it, canvas and plane show the result.

import { Asker, ask, paint } from './asker.js';
import { Gallery } from './gallery.js';
import { Plane } from './plane.js';

const SAVED = 280, KEPT = 200; // default size of a saved image in pixels; durations of the median
const MINUS = '−';

const at = (id) => document.getElementById(id);
const say = (id, text) => { at(id).textContent = text; };
const number = (value) => value.toFixed(2).replace(/^-(?=.*[1-9])/, MINUS).replace('-', '');

function make(kind, parent, values = {}) {
    const node = Object.assign(document.createElement(kind), values);
    parent.append(node);
    return node;
}

// A labeled slider; `moved(value)` is called while it is moved.
function slider(parent, id, name, small, range, moved) {
    const row = make('div', parent, { className: 'row' });
    const label = make('label', row, { htmlFor: id, textContent: name, title: `${name} ${small}`.trim() });
    if (small) make('small', label, { textContent: ` ${small}` });
    const input = make('input', row, { type: 'range', id, min: range[0], max: range[1], step: (range[1] - range[0]) / 200 });
    const output = make('output', row);
    output.htmlFor = id;
    input.addEventListener('input', () => moved(Number(input.value)));
    return (value) => { input.value = value; output.textContent = number(value); };
}

class Page {
    constructor(space) {
        this.space = space;
        this.times = [];
        this.asker = new Asker((...answer) => this.answered(...answer), (error) => this.failed(error));
        this.sliding = false; // whether the slider between two images is in use
        this.anchor = null; // interpolation between two images that the components start from
        this.place = space.components.map((component) => component.center);
        this.part = 0.5;
        this.strengths = space.attributes.map(() => 0);
        say('title', `tfae explore: ${space.title}`);
        say('model', space.model);
        this.names = space.components.map((_, k) => (space.size > 2 ? `component ${k + 1}` : `z${k + 1}`));
        this.makeSliders();
        this.makePlane();
        this.makeWay();
        this.makeSave();
        this.gallery = new Gallery(space, () => this.slide());
        at('center').addEventListener('click', () => {
            this.anchor = null;
            this.walk(space.components.map((component) => component.center));
        });
        this.update();
    }

    makeSliders() {
        const { components, attributes, strength, size } = this.space;
        say('walk-title', size > 2 ? 'Principal components' : 'Latent dimensions');
        this.showPlace = components.map(({ low, high, share }, k) => slider(
            at('components'), `component-${k}`, this.names[k], size > 2 ? `${(100 * share).toFixed(0)} %` : '', [low, high],
            (value) => this.walk({ [k]: value }),
        ));
        const [inside, all] = [components.reduce((sum, { share }) => sum + share, 0), components.length >= size];
        say('walk-note', `At least ±3 standard deviations${all ? '' : `; ${(100 * inside).toFixed(0)} % of the variance`}`);
        this.showStrength = attributes.map((name, k) => slider(
            at('attributes'), `attribute-${k}`, name, '', [-strength, strength],
            (value) => { this.strengths[k] = Math.abs(value) < strength / 100 ? 0 : value; this.update(); },
        ));
        at('attributes-card').hidden = !attributes.length;
        at('without').addEventListener('click', () => { this.strengths.fill(0); this.update(); });
    }

    makePlane() {
        const { components, size } = this.space;
        if (components.length < 2) {
            at('plane-card').hidden = true;
            document.querySelector('main').classList.add('flat');
            return;
        }
        const names = components.slice(0, 2).map(({ share }, k) => (
            size > 2 ? `${this.names[k]} (${(100 * share).toFixed(0)} %)` : this.names[k]));
        this.plane = new Plane(at('plane'), this.space, names, (point) => this.walk(point));
    }

    makeWay() {
        this.space.ways.forEach((way) => make('option', at('way'), { value: way, textContent: way }));
        at('way').addEventListener('change', () => this.slide());
        at('part').addEventListener('input', () => { this.part = Number(at('part').value); this.slide(); });
    }

    makeSave() {
        const [height, width] = this.space.shape;
        at('scale').max = this.space.scale;
        at('scale').value = Math.min(this.space.scale, Math.ceil(SAVED / Math.max(height, width)));
        at('save').addEventListener('submit', async (event) => {
            event.preventDefault();
            try {
                const response = await ask('/save', { ...this.move(), scale: Number(at('scale').value) });
                if (!response.ok) throw new Error((await response.text()).trim());
                const address = URL.createObjectURL(await response.blob());
                Object.assign(document.createElement('a'), { href: address, download: `${this.space.title}_decoded.png` }).click();
                setTimeout(() => URL.revokeObjectURL(address), 10_000);
                at('trouble').hidden = true;
            } catch (error) {
                this.failed(error);
            }
        });
    }

    // Sets some components of the code; all others stay, also those without a slider.
    walk(values) {
        this.place = Object.assign([...this.place], values);
        this.sliding = false;
        this.update();
    }

    slide() {
        this.anchor = { images: [...this.gallery.places], part: this.part, way: at('way').value };
        this.sliding = true;
        this.update();
    }

    move() {
        return { between: this.anchor, components: this.sliding ? null : this.place, strengths: this.strengths };
    }

    update() {
        this.place.forEach((value, k) => this.showPlace[k](value));
        this.strengths.forEach((value, k) => this.showStrength[k](value));
        at('part').value = this.part;
        say('part-value', `${(100 * this.part).toFixed(0)} %`);
        for (const [id, used] of [['walk-card', !this.sliding], ['between-card', this.sliding]]) {
            at(id).classList.toggle('used', used);
        }
        at('attributes-card').classList.toggle('used', this.strengths.some(Boolean));
        this.asker.move(this.move());
    }

    answered(image, milliseconds) {
        at('trouble').hidden = true;
        paint(at('answer'), image);
        this.times = [...this.times.slice(1 - KEPT), milliseconds];
        const median = this.times.toSorted((a, b) => a - b)[this.times.length >> 1];
        say('time', `${milliseconds.toFixed(1)} ms round trip, ${image.decoder.toFixed(1)} ms decoding`);
        say('median', `Median of ${this.times.length}: ${median.toFixed(1)} ms`);
        if (this.sliding) {
            this.place = image.start;
            this.place.forEach((value, k) => this.showPlace[k](value));
        }
        const seen = image.place.slice(0, 2);
        say('where', seen.map((value, k) => `${this.names[k]} ${number(value)}`).join(', '));
        const path = this.sliding ? this.gallery.places.map((place) => this.space.points[place]) : [];
        this.plane?.show(this.place.slice(0, 2), seen, path);
    }

    failed(error) {
        say('trouble', error instanceof TypeError ? 'The server does not respond; it may have been stopped.' : error.message);
        at('trouble').hidden = false;
    }
}

const response = await fetch('/space');
new Page(await response.json());
