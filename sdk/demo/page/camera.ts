/** The camera: the middle square of each frame as ink, some times a second, until it is stopped. Pictures stay in the page. */
import type { Ink } from '../ink.js';
import { photographInk } from '../photograph.js';

/** Pixels of a side of what is looked at, and milliseconds between two looks. */
const [size, pause] = [112, 80];

export class Camera {
  #stream?: MediaStream;
  #timer = 0;

  constructor(readonly video: HTMLVideoElement, readonly seen: (ink: Ink) => void) {}

  get running(): boolean {
    return this.#stream !== undefined;
  }

  /** Starts; rejects where there is no camera or it is not allowed. */
  async start(): Promise<void> {
    if (!navigator.mediaDevices) throw new Error('this page was not opened over https or on this machine');
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 640 } } });
    this.video.srcObject = this.#stream;
    this.video.hidden = false;
    await this.video.play();
    const canvas = new OffscreenCanvas(size, size);
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    const look = (): void => {
      const { videoWidth, videoHeight } = this.video;
      const edge = Math.min(videoWidth, videoHeight);
      if (edge > 0) {
        context.drawImage(this.video, (videoWidth - edge) / 2, (videoHeight - edge) / 2, edge, edge, 0, 0, size, size);
        this.seen(photographInk(context.getImageData(0, 0, size, size).data, size));
      }
      this.#timer = window.setTimeout(look, pause);
    };
    look();
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.video.srcObject = null;
    this.video.hidden = true;
  }
}
