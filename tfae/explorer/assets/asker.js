// Requests to the server: one at a time, always the newest.

const JSON_BODY = { 'Content-Type': 'application/json' };

const places = (response, name) => response.headers.get(name)?.split(',').map(Number);

// An image of the server: rows of pixels of `channels` bytes. A decoded image comes with the components
// of its code, before and after attributes were added.
async function image(response) {
    if (!response.ok) throw new Error((await response.text()).trim());
    const number = (name) => Number(response.headers.get(name));
    return {
        height: number('X-Height'),
        width: number('X-Width'),
        channels: number('X-Channels'),
        start: places(response, 'X-Start'),
        place: places(response, 'X-Place'),
        decoder: Number(/dur=([\d.]+)/.exec(response.headers.get('Server-Timing'))?.[1]),
        bytes: new Uint8Array(await response.arrayBuffer()),
    };
}

export async function ask(url, body) {
    return fetch(url, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) });
}

export async function imageAt(place) {
    return image(await fetch(`/gallery/${place}`));
}

export class Asker {
    // Every image is passed to `show(image, milliseconds)`, every error to `fail(error)`.
    constructor(show, fail) {
        Object.assign(this, { show, fail, wanted: null, busy: false });
    }

    async move(body) {
        this.wanted = body;
        if (this.busy) return;
        this.busy = true;
        while (this.wanted) {
            const now = this.wanted;
            this.wanted = null;
            try {
                const start = performance.now();
                const found = await image(await ask('/decode', now));
                this.show(found, performance.now() - start);
            } catch (error) {
                this.fail(error);
            }
        }
        this.busy = false;
    }
}

// Renders an image on a canvas of the same size.
export function paint(canvas, { height, width, channels, bytes }) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[channels * i + (channels === 3 ? c : 0)];
        image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
}
