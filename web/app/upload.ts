// Uploads: by button, by dropping and by pasting; one after the other, each with its progress or why it was refused.
import { signal } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import { uploadImage } from "./api";
import { icon } from "./icons";
import type { Store } from "./store";
import { sizeText } from "./words";

interface Upload {
  id: number;
  name: string;
  /** Sent share; null once it is refused. */
  share: number | null;
  refused: string;
}

export class Uploads {
  readonly list = signal<Upload[]>([]);
  readonly isOver = signal(false);
  private count = 0;
  private queue: Promise<void> = Promise.resolve();

  constructor(private readonly store: Store, private readonly onStored: (image: string) => void) {}

  add(files: Iterable<File>): void {
    for (const file of files) {
      const upload: Upload = { id: ++this.count, name: file.name || "pasted.png", share: 0, refused: "" };
      this.list.value = [...this.list.value, upload];
      this.queue = this.queue.then(() => this.send(file, upload));
    }
  }

  private async send(file: File, upload: Upload): Promise<void> {
    const limit = this.store.session.value?.limits.upload_bytes ?? Infinity;
    try {
      if (file.size > limit) throw new Error(`expected a file of at most ${sizeText(limit)}; got ${sizeText(file.size)}; make it smaller`);
      const image = await uploadImage(file, upload.name, (share) => this.change(upload.id, { share }));
      await this.store.loadImages();
      this.forget(upload.id);
      this.onStored(image.id);
    } catch (error) {
      this.change(upload.id, { share: null, refused: error instanceof Error ? error.message : String(error) });
    }
  }

  private change(id: number, changes: Partial<Upload>): void {
    this.list.value = this.list.value.map((one) => (one.id === id ? { ...one, ...changes } : one));
  }

  forget(id: number): void {
    this.list.value = this.list.value.filter((one) => one.id !== id);
  }

  /** Take what is dropped or pasted anywhere on the page. */
  attach(page: Document): void {
    const files = (event: DragEvent | ClipboardEvent) => [...((event instanceof DragEvent ? event.dataTransfer : event.clipboardData)?.files ?? [])];
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    page.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.isOver.value = true;
    });
    page.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) this.isOver.value = false;
    });
    page.addEventListener("drop", (event) => {
      this.isOver.value = false;
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.take(files(event));
    });
    page.addEventListener("paste", (event) => {
      const pasted = files(event);
      if (!pasted.length) return;
      event.preventDefault();
      this.take(pasted);
    });
  }

  private take(files: File[]): void {
    this.store.open(null);
    this.add(files);
  }
}

export function dropView(uploads: Uploads, limit: number | undefined) {
  const choose = (event: Event) => {
    const input = event.target as HTMLInputElement;
    uploads.add([...(input.files ?? [])]);
    input.value = "";
  };
  return html`
    <div class="drop ${uploads.isOver.value ? "over" : ""}">
      ${icon("upload")}
      <p><strong>Drop an image here</strong>, paste one, or
        <label class="choose"><input type="file" multiple @change=${choose} aria-label="Choose an image file">choose a file</label></p>
      <p class="quiet">PNG, JPEG, TIFF, WebP, NIfTI${limit ? `, at most ${sizeText(limit)}` : ""}</p>
    </div>
    ${uploads.list.value.length ? html`<ul class="uploads" aria-label="Uploads">${uploads.list.value.map((one) => uploadView(uploads, one))}</ul>` : nothing}`;
}

function uploadView(uploads: Uploads, { id, name, share, refused }: Upload) {
  return html`<li class=${refused ? "refused" : ""}>
    <span class="name">${name}</span>
    ${refused
      ? html`<span class="why" role="alert">${refused}</span><button class="icon" aria-label="Dismiss ${name}" @click=${() => uploads.forget(id)}>${icon("cross")}</button>`
      : html`<progress max="1" .value=${share ?? 0} aria-label="Upload of ${name}"></progress>`}
  </li>`;
}
