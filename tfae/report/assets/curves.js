'use strict';
// Renders the curves of a page. Hovering or the arrow keys read values, dragging zooms, a double
// click or Escape resets the zoom. A point is [step, seconds, value, epoch].
(() => {
    const NAMESPACE = 'http://www.w3.org/2000/svg';
    const PLOTS = JSON.parse(document.getElementById('curves').textContent);
    const STEP = 0, SECONDS = 1, VALUE = 2, EPOCH = 3;
    const LEFT = 58, RIGHT = 10, TOP = 20, BOTTOM = 34; // pixels around the plot area
    const MIN_DRAG = 6; // pixels; less is a click

    function put(parent, name, attributes = {}, text = '') {
        const node = document.createElementNS(NAMESPACE, name);
        for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
        node.textContent = text;
        parent.append(node);
        return node;
    }

    function row(parent, kind, ...texts) {
        const line = document.createElement('div');
        line.className = kind;
        for (const text of texts) {
            const cell = document.createElement('span');
            cell.textContent = text;
            line.append(cell);
        }
        parent.append(line);
    }

    const readout = (value) => {
        const size = Math.abs(value);
        if (Number.isInteger(value) && size < 1e15) return value.toLocaleString('en-US');
        return size !== 0 && (size < 1e-4 || size >= 1e6)
            ? value.toExponential(4) : String(Number(value.toPrecision(6)));
    };

    const tick = (value) => {
        const size = Math.abs(value);
        if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
        if (size >= 1e3) return Number(value.toPrecision(6)).toLocaleString('en-US');
        return size !== 0 && size < 1e-4 ? value.toExponential(0) : String(Number(value.toPrecision(6)));
    };

    // Round numbers in a range, about `count` of them.
    function straight(low, high, count) {
        const raw = (high - low) / count || 1;
        const power = 10 ** Math.floor(Math.log10(raw));
        const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
        const found = [];
        for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
        return found;
    }

    // 1, 2 and 5 times each power of ten; powers alone over a wide range.
    function logarithmic(low, high) {
        const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
        if (high / low < 3) return straight(low, high, 5);
        const apart = Math.max(1, Math.ceil((last - first) / 7)), found = [];
        for (let power = first; power <= last; power += apart) {
            for (const m of last - first <= 3 ? [1, 2, 5] : [1]) found.push(m * 10 ** power);
        }
        return found.filter((value) => value >= low && value <= high);
    }

    class Plot {
        constructor(frame, plot) {
            this.plot = plot;
            this.canvas = frame.querySelector('.canvas');
            this.log = frame.querySelector('.log');
            this.time = frame.querySelector('.time');
            this.reset = frame.querySelector('.reset');
            this.range = null; // {x: [from, to], y: [from, to] or null}
            this.at = null; // position of the readout on the horizontal axis
            const points = plot.series.flatMap((series) => series.parts.flat());
            this.points = points.filter((point) => point[VALUE] !== null);
            const values = this.points.map((point) => point[VALUE]).sort((a, b) => a - b);
            this.log.parentElement.hidden = !(values[0] > 0);
            this.log.checked = values[0] > 0 && values[values.length - 1] > 30 * values[0];
            this.time.parentElement.hidden = !this.points.some((point) => point[SECONDS] > 0);
            this.tip = document.createElement('div');
            this.tip.className = 'tip';
            this.tip.setAttribute('role', 'status');
            this.tip.hidden = true;
            this.log.addEventListener('change', () => this.whole());
            this.time.addEventListener('change', () => this.whole());
            this.reset.addEventListener('click', () => this.whole());
            this.svg = put(this.canvas, 'svg', {
                tabindex: 0, role: 'application', 'aria-roledescription': 'chart',
                'aria-label': `${plot.title}; arrow keys read values, Escape resets the zoom`,
            });
            this.canvas.append(this.tip);
            this.listen();
            new ResizeObserver(() => this.render()).observe(this.canvas);
        }

        listen() {
            const place = (event) => {
                const box = this.svg.getBoundingClientRect();
                return [event.clientX - box.left, event.clientY - box.top];
            };
            this.svg.addEventListener('pointerdown', (event) => {
                if (event.button) return;
                this.start = place(event);
                this.svg.setPointerCapture(event.pointerId);
            });
            this.svg.addEventListener('pointermove', (event) => {
                const here = place(event);
                if (this.start) this.stretch(here);
                this.read(this.nearest(this.value(here[0])));
            });
            this.svg.addEventListener('pointerup', (event) => {
                if (this.start) this.zoom(place(event));
            });
            this.svg.addEventListener('pointercancel', () => { this.start = null; this.render(); });
            this.svg.addEventListener('pointerleave', () => { if (!this.start) this.read(null); });
            this.svg.addEventListener('blur', () => this.read(null));
            this.svg.addEventListener('dblclick', () => this.whole());
            this.svg.addEventListener('keydown', (event) => this.key(event));
        }

        key(event) {
            const places = this.places();
            const last = places.length - 1, now = places.indexOf(this.at);
            const wanted = {
                ArrowRight: Math.min(now + 1, last), ArrowLeft: now < 0 ? last : Math.max(now - 1, 0),
                Home: 0, End: last,
            }[event.key];
            if (event.key === 'Escape') this.whole();
            else if (wanted !== undefined && last >= 0) this.read(places[wanted]);
            else return;
            event.preventDefault();
        }

        whole() { this.range = null; this.render(); }

        get axis() { return this.time.checked ? SECONDS : STEP; }

        // Positions on the horizontal axis with a value in view, in order.
        places() {
            const [from, to] = this.x;
            const found = new Set(this.points.map((point) => point[this.axis]));
            return [...found].filter((x) => x >= from && x <= to).sort((a, b) => a - b);
        }

        nearest(x) {
            let best = null;
            for (const place of this.places()) {
                if (best === null || Math.abs(place - x) < Math.abs(best - x)) best = place;
            }
            return best;
        }

        measure() {
            const axis = this.axis, at = this.points.map((point) => point[axis]);
            const bands = this.plot.bands.flatMap((band) => [band.from[axis], band.to[axis]]);
            const ends = [...at, ...bands];
            this.x = this.range ? this.range.x
                : [ends.reduce((a, b) => Math.min(a, b), Infinity), ends.reduce((a, b) => Math.max(a, b), -Infinity)];
            if (this.x[0] === this.x[1]) this.x = [this.x[0] - 1, this.x[1] + 1];
            const seen = this.points.filter((p) => p[axis] >= this.x[0] && p[axis] <= this.x[1]);
            const values = (seen.length ? seen : this.points).map((point) => point[VALUE]);
            let low = values.reduce((a, b) => Math.min(a, b), Infinity);
            let high = values.reduce((a, b) => Math.max(a, b), -Infinity);
            if (this.log.checked) {
                const room = (high / low) ** 0.05 * (high === low ? 1.1 : 1);
                [low, high] = [low / room, high * room];
            } else {
                const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
                [low, high] = [low - (low >= 0 && low < room ? low : room), high + room];
            }
            this.y = this.range?.y ?? [low, high];
        }

        px(x) { return LEFT + (x - this.x[0]) / (this.x[1] - this.x[0]) * (this.width - LEFT - RIGHT); }

        value(px) { return this.x[0] + (px - LEFT) / (this.width - LEFT - RIGHT) * (this.x[1] - this.x[0]); }

        py(y) {
            const [low, high] = this.y, bend = this.log.checked ? Math.log : (v) => v;
            const part = (bend(y) - bend(low)) / (bend(high) - bend(low));
            return this.height - BOTTOM - part * (this.height - TOP - BOTTOM);
        }

        level(py) {
            const [low, high] = this.y;
            const part = (this.height - BOTTOM - py) / (this.height - TOP - BOTTOM);
            return this.log.checked ? low * (high / low) ** part : low + part * (high - low);
        }

        render() {
            this.width = Math.max(this.canvas.clientWidth, 160);
            this.height = Math.round(Math.min(340, Math.max(200, this.width * 0.5)));
            this.measure();
            this.reset.hidden = !this.range;
            this.svg.replaceChildren();
            this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
            this.svg.setAttribute('height', this.height);
            this.renderBands();
            this.renderAxes();
            const shown = put(this.svg, 'svg', {
                x: LEFT, y: TOP, width: this.width - LEFT - RIGHT, height: this.height - TOP - BOTTOM,
                viewBox: `${LEFT} ${TOP} ${this.width - LEFT - RIGHT} ${this.height - TOP - BOTTOM}`,
            });
            this.plot.series.forEach((series) => this.renderSeries(shown, series));
            this.marks = put(this.svg, 'g');
            this.read(null);
        }

        renderBands() {
            this.plot.bands.forEach((band, i) => {
                const from = Math.max(this.px(band.from[this.axis]), LEFT);
                const to = Math.min(this.px(band.to[this.axis]), this.width - RIGHT);
                if (to <= from || this.plot.bands.length < 2) return;
                if (i % 2 === 0) {
                    put(this.svg, 'rect', {
                        class: 'band', x: from, y: TOP, width: to - from, height: this.height - TOP - BOTTOM,
                    });
                }
                const words = [band.label, band.label.split('/').pop()];
                const word = words.find((text) => text.length * 6.6 < to - from);
                if (word) put(this.svg, 'text', { x: (from + to) / 2, y: TOP - 6, 'text-anchor': 'middle' }, word);
            });
        }

        renderAxes() {
            const bottom = this.height - BOTTOM, right = this.width - RIGHT;
            const levels = this.log.checked ? logarithmic(...this.y) : straight(...this.y, 5);
            for (const level of levels) {
                const y = this.py(level);
                put(this.svg, 'line', { class: 'grid', x1: LEFT, x2: right, y1: y, y2: y });
                put(this.svg, 'text', { class: 'y', x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, tick(level));
            }
            for (const place of straight(...this.x, Math.max(2, Math.round(this.width / 110)))) {
                const x = this.px(place);
                put(this.svg, 'line', { class: 'grid', x1: x, x2: x, y1: bottom, y2: bottom + 4 });
                put(this.svg, 'text', { class: 'x', x, y: bottom + 16, 'text-anchor': 'middle' }, tick(place));
            }
            const word = this.time.checked ? 'training time (s)' : 'training steps';
            put(this.svg, 'text', { x: right, y: bottom + 31, 'text-anchor': 'end' }, word);
        }

        renderSeries(parent, series) {
            const hatched = series.dashed || series.color >= 7 ? ' dashed' : '';
            const kind = `s${series.color % 7}`;
            for (const part of series.parts) {
                let path = '', broken = true;
                for (const point of part) {
                    if (point[VALUE] === null) { broken = true; continue; }
                    path += `${broken ? 'M' : 'L'}${this.px(point[this.axis])} ${this.py(point[VALUE])}`;
                    broken = false;
                }
                put(parent, 'path', { class: `line ${kind}${hatched}`, d: path });
                const finite = part.filter((point) => point[VALUE] !== null);
                if (finite.length === 1) {
                    put(parent, 'circle', {
                        class: `dot ${kind}`, r: 3, cx: this.px(finite[0][this.axis]), cy: this.py(finite[0][VALUE]),
                    });
                }
            }
        }

        // Shows the value of every curve at a position of the horizontal axis; null hides them.
        read(at) {
            this.at = at;
            this.marks.querySelectorAll('.cross, .dot').forEach((node) => node.remove());
            this.tip.hidden = at === null;
            if (at === null) return;
            const x = this.px(at);
            put(this.marks, 'line', { class: 'cross', x1: x, x2: x, y1: TOP, y2: this.height - BOTTOM });
            this.tip.replaceChildren();
            const found = [];
            let epoch = '';
            for (const series of this.plot.series) {
                const point = this.closest(series, at);
                if (!point) continue;
                const there = point[this.axis];
                found.push([series.label, readout(point[VALUE]) + (there === at ? '' : ` (at ${readout(there)})`)]);
                const y = this.py(point[VALUE]);
                if (y >= TOP && y <= this.height - BOTTOM) {
                    const kind = `dot s${series.color % 7}`;
                    put(this.marks, 'circle', { class: kind, r: 4, cx: this.px(there), cy: y });
                }
                if (this.plot.bands.length) epoch = `epoch ${point[EPOCH]}`;
            }
            const band = this.plot.bands.find((b) => at > b.from[this.axis] && at <= b.to[this.axis]);
            const where = this.time.checked ? `${readout(at)} s` : `step ${readout(at)}`;
            const phase = this.plot.bands.length > 1 && band ? `${band.label}, ` : '';
            row(this.tip, 'where', where, phase + epoch);
            for (const texts of found) row(this.tip, '', ...texts);
            const side = x > this.width / 2 ? x - this.tip.offsetWidth - 10 : x + 10;
            this.tip.style.left = `${Math.max(0, Math.min(side, this.width - this.tip.offsetWidth))}px`;
            this.tip.style.top = `${TOP + 4}px`;
        }

        // The point of a curve nearest to a position within the range of the curve, or null.
        closest(series, at) {
            const points = series.parts.flat().filter((point) => point[VALUE] !== null);
            const away = (point) => Math.abs(point[this.axis] - at);
            const best = points.reduce((a, b) => (a && away(a) <= away(b) ? a : b), null);
            if (!best || away(best) === 0) return best;
            const places = points.map((point) => point[this.axis]);
            return at > places[0] && at < places[places.length - 1] ? best : null;
        }

        // Shows the rectangle of a drag; a flat one selects a range of the horizontal axis alone.
        stretch(here) {
            this.marks.querySelectorAll('.zoom').forEach((node) => node.remove());
            const [x, y, width, height] = this.rectangle(here);
            put(this.marks, 'rect', { class: 'zoom', x, y, width, height });
        }

        rectangle(here) {
            const inside = ([x, y]) => [
                Math.min(Math.max(x, LEFT), this.width - RIGHT), Math.min(Math.max(y, TOP), this.height - BOTTOM),
            ];
            const [a, b] = [inside(this.start), inside(here)];
            const left = Math.min(a[0], b[0]), width = Math.abs(a[0] - b[0]);
            if (Math.abs(a[1] - b[1]) < 30) return [left, TOP, width, this.height - TOP - BOTTOM];
            return [left, Math.min(a[1], b[1]), width, Math.abs(a[1] - b[1])];
        }

        zoom(here) {
            const [x, y, width, height] = this.rectangle(here);
            this.start = null;
            // No re-rendering on a click: a double click must hit the same element twice.
            this.marks.querySelectorAll('.zoom').forEach((node) => node.remove());
            if (width < MIN_DRAG) return;
            const flat = height === this.height - TOP - BOTTOM;
            const levels = [this.level(y + height), this.level(y)];
            this.range = { x: [this.value(x), this.value(x + width)], y: flat ? null : levels };
            this.render();
        }
    }

    document.querySelectorAll('.plot').forEach((frame) => new Plot(frame, PLOTS[frame.dataset.plot]));
})();
