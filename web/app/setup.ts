// The beginning: images to choose from, and the form of a new run.
import { html, nothing } from "lit-html";
import { previewPath } from "./api";
import type { Form } from "./form";
import type { Store } from "./store";
import type { StoredImage } from "./types";
import { type Uploads, dropView } from "./upload";
import { imageText } from "./words";

export function imagesView(store: Store, form: Form, uploads: Uploads) {
  const session = store.session.value;
  const images = store.images.value;
  return html`
    <section class="images" aria-label="Images">
      <header class="lead"><h1>Which regions does a classifier rely on?</h1>
        <p>Choose an image. The regions come round by round; hide something by hand to see what changes, and judge what was found.</p></header>
      ${dropView(uploads, session?.limits.upload_bytes)}
      ${images === null ? html`<p class="quiet">Asking the server \u2026</p>` : images.length === 0 ? nothing : html`
        <div class="gallery" role="radiogroup" aria-label="Image">${images.map((image, place) => tileView(form, image, place, images))}</div>`}
    </section>`;
}

function tileView(form: Form, image: StoredImage, place: number, images: StoredImage[]) {
  const chosen = form.image.value === image.id;
  const isStop = chosen || (place === 0 && !images.some((one) => one.id === form.image.value));
  const move = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = (place + by + images.length) % images.length;
    form.image.value = images[next].id;
    ((event.currentTarget as HTMLElement).parentElement?.children[next] as HTMLElement | undefined)?.focus();
  };
  return html`<button class="tile" role="radio" aria-checked=${chosen} tabindex=${isStop ? 0 : -1} @click=${() => (form.image.value = image.id)} @keydown=${move}>
    <img src=${previewPath(image.id)} alt="" loading="lazy" decoding="async">
    <span class="name">${image.name}</span><span class="quiet">${imageText(image)}</span></button>`;
}
