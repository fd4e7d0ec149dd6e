// The plane of the first two components: the codes of the images, and the current point.

const COLORS = 10, FINE = 100, COARSE = 10;
const MARGIN = { left: 40, right: 10, top: 10, bottom: 30 };

const signed = (value) => String(value).replace('-', '−');
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

// Round numbers within [low, high], about `wanted` of them.
function ticks(low, high, wanted) {
    const rough = (high - low) / wanted, ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * ten).find((width) => width >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(6)));
    return found;
}

export class Plane {
    // `moved([x, y])` is called as the point is dragged.
    constructor(canvas, space, names, moved) {
        Object.assign(this, { canvas, space, names, moved });
        this.x = [space.components[0].low, space.components[0].high];
        this.y = [space.components[1].low, space.components[1].high];
        this.wanted = this.answered = null; // the point as dragged, and the point of its code
        this.path = []; // endpoints of the interpolation
        canvas.addEventListener('pointerdown', (event) => {
            if (event.button) return;
            canvas.setPointerCapture(event.pointerId);
            this.drag(event);
        });
        canvas.addEventListener('pointermove', (event) => {
            if (canvas.hasPointerCapture(event.pointerId)) this.drag(event);
        });
        canvas.addEventListener('keydown', (event) => this.key(event));
        new ResizeObserver(() => this.redraw()).observe(canvas);
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
    }

    drag(event) {
        const box = this.canvas.getBoundingClientRect();
        const part = (value, from, to) => Math.min(1, Math.max(0, (value - from) / (to - from)));
        const across = part(event.clientX - box.left, MARGIN.left, this.width - MARGIN.right);
        const down = part(event.clientY - box.top, MARGIN.top, this.height - MARGIN.bottom);
        this.go([
            this.x[0] + across * (this.x[1] - this.x[0]),
            this.y[1] - down * (this.y[1] - this.y[0]),
        ]);
    }

    key(event) {
        const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const steps = event.shiftKey ? COARSE : FINE, from = this.wanted ?? this.answered;
        const next = (k, [low, high]) => Math.min(high, Math.max(low, from[k] + way[k] * (high - low) / steps));
        this.go([next(0, this.x), next(1, this.y)]);
    }

    // The dragged point follows at once; that of its code comes with the response.
    go(point) {
        this.wanted = point;
        this.overlay();
        this.moved(point);
    }

    // Shows the dragged point, if any, and the point of the code.
    show(wanted, answered, path) {
        Object.assign(this, { wanted, answered, path });
        this.overlay();
    }

    px(x) { return MARGIN.left + (x - this.x[0]) / (this.x[1] - this.x[0]) * (this.width - MARGIN.left - MARGIN.right); }

    py(y) { return MARGIN.top + (this.y[1] - y) / (this.y[1] - this.y[0]) * (this.height - MARGIN.top - MARGIN.bottom); }

    redraw() {
        const ratio = devicePixelRatio || 1;
        [this.width, this.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
        if (!this.width) return;
        for (const canvas of [this.canvas, this.ground ??= document.createElement('canvas')]) {
            canvas.width = Math.round(this.width * ratio);
            canvas.height = Math.round(this.height * ratio);
        }
        const style = getComputedStyle(document.documentElement);
        this.color = (name) => style.getPropertyValue(`--${name}`).trim();
        const context = this.ground.getContext('2d');
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        this.paintAxes(context);
        this.paintPoints(context);
        this.overlay();
    }

    paintAxes(context) {
        context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
        context.fillStyle = this.color('quiet');
        context.strokeStyle = this.color('edge');
        const right = this.width - MARGIN.right, bottom = this.height - MARGIN.bottom;
        const line = (...ends) => { context.beginPath(); context.moveTo(...ends[0]); context.lineTo(...ends[1]); context.stroke(); };
        const [across, up] = this.names.map((name) => context.measureText(name).width + 16);
        context.textAlign = 'center';
        for (const x of ticks(...this.x, 6)) {
            line([this.px(x), MARGIN.top], [this.px(x), bottom]);
            if (this.px(x) < right - across) context.fillText(signed(x), this.px(x), bottom + 15);
        }
        context.textAlign = 'right';
        for (const y of ticks(...this.y, 6)) {
            line([MARGIN.left, this.py(y)], [right, this.py(y)]);
            if (this.py(y) > MARGIN.top + up) context.fillText(signed(y), MARGIN.left - 5, this.py(y) + 4);
        }
        context.fillText(this.names[0], right, bottom + 15);
        context.save();
        context.translate(MARGIN.left - 8, MARGIN.top);
        context.rotate(-Math.PI / 2);
        context.fillText(this.names[1], 0, 0);
        context.restore();
    }

    paintPoints(context) {
        const { points, labels } = this.space;
        context.save();
        context.beginPath();
        context.rect(MARGIN.left, MARGIN.top, this.width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom);
        context.clip();
        const tint = (group) => (group < 0 ? this.color('accent') : this.color(`c${group % COLORS}`));
        context.globalAlpha = 0.55;
        // In the order of the images: painted by class, the last would hide the others.
        points.forEach(([x, y], i) => {
            context.fillStyle = tint(labels ? labels[i] : -1);
            context.beginPath();
            context.arc(this.px(x), this.py(y), points.length > 1000 ? 1.7 : 2.6, 0, 7);
            context.fill();
        });
        context.globalAlpha = 1;
        context.font = `700 15px ${getComputedStyle(document.body).fontFamily}`;
        Object.assign(context, { textAlign: 'center', textBaseline: 'middle', lineJoin: 'round', lineWidth: 4 });
        context.strokeStyle = this.color('card');
        for (const { group, word, x, y } of this.words(context)) {
            context.fillStyle = tint(group);
            context.strokeText(word, x, y);
            context.fillText(word, x, y);
        }
        context.restore();
    }

    // The name of each class at the median of its points, shifted until none overlap.
    words(context) {
        const { points, labels, classes } = this.space;
        const found = [...new Set(labels ?? [])].map((group) => {
            const members = points.filter((_, i) => labels[i] === group);
            const word = classes[group] ?? String(group);
            const [x, y] = [this.px(middle(members.map((p) => p[0]))), this.py(middle(members.map((p) => p[1])))];
            return { group, word, x, y, half: context.measureText(word).width / 2 + 3 };
        });
        for (let round = 0; round < 50; round++) {
            found.forEach((a, i) => found.slice(i + 1).forEach((b) => {
                if (Math.abs(a.x - b.x) > a.half + b.half || Math.abs(a.y - b.y) > 17) return;
                const step = a.y <= b.y ? 1 : -1;
                a.y -= step;
                b.y += step;
            }));
        }
        return found;
    }

    overlay() {
        if (!this.ground || !this.width) return;
        const context = this.canvas.getContext('2d'), ratio = devicePixelRatio || 1;
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, this.canvas.width, this.canvas.height);
        context.drawImage(this.ground, 0, 0);
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        const at = ([x, y]) => [this.px(x), this.py(y)];
        const stroke = (width, color) => { context.lineWidth = width; context.strokeStyle = this.color(color); context.stroke(); };
        const twice = () => { stroke(5, 'card'); stroke(2, 'text'); };
        const route = this.path.length ? this.path : [this.wanted, this.answered].filter(Boolean);
        if (route.length > 1) {
            context.beginPath();
            route.forEach((point) => context.lineTo(...at(point)));
            context.setLineDash([4, 3]);
            stroke(1.5, 'text');
            context.setLineDash([]);
        }
        if (this.wanted && this.answered) {
            context.beginPath();
            context.arc(...at(this.wanted), 3, 0, 7);
            context.fillStyle = this.color('text');
            context.fill();
        }
        if (!this.answered) return;
        context.beginPath();
        context.arc(...at(this.answered), 8, 0, 7);
        twice();
    }
}
