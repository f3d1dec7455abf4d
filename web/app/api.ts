// The server: requests, uploads with their progress, and errors in one line.
import type { StoredImage } from "./types";

/** What the server refused, in its words; `status` is 0 where it can't be reached. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

const GONE = "The server doesn\u2019t answer";

function textOf(status: number, body: string): string {
  try {
    const said = (JSON.parse(body) as { error?: unknown }).error;
    if (typeof said === "string" && said) return said;
  } catch {
    // not JSON: said below
  }
  return status === 401 || status === 403 ? "This page has no access; open the link that unveil serve printed" : `The server answered ${status}`;
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers, "Content-Type": "application/json" };
    init.keepalive = init.body.length < 60_000; // saved also if the page is closed now
  }
  const answer = await fetch(path, init).catch(() => {
    throw new ApiError(0, GONE);
  });
  if (answer.ok || answer.status === 304) return answer;
  throw new ApiError(answer.status, textOf(answer.status, await answer.text().catch(() => "")));
}

export async function getJson<T>(path: string): Promise<T> {
  return (await (await send("GET", path)).json()) as T;
}

export async function sendJson<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await send(method, path, body);
  return (answer.status === 204 ? null : await answer.json()) as T;
}

/** A document and its version; null where it is the version that is known, and where there is none yet. */
export async function getIfNewer(path: string, etag: string): Promise<{ text: string; etag: string } | null> {
  const answer = await send("GET", path, undefined, etag ? { "If-None-Match": etag } : {});
  return answer.status === 304 || answer.status === 204 ? null : { text: await answer.text(), etag: answer.headers.get("ETag") ?? "" };
}

/** Upload the bytes of a file; `onShare` is told which share of them was sent. */
export function uploadImage(file: Blob, name: string, onShare: (share: number) => void): Promise<StoredImage> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch doesn't tell how much was sent
    request.open("POST", `/api/images?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onerror = () => fail(new ApiError(0, GONE));
    request.onload = () => {
      if (request.status < 300) done(JSON.parse(request.responseText) as StoredImage);
      else fail(new ApiError(request.status, textOf(request.status, request.responseText)));
    };
    request.send(file);
  });
}

export const exportPath = (job: string, name: string) => `/api/jobs/${encodeURIComponent(job)}/export/${name}`;
export const previewPath = (image: string) => `/api/images/${encodeURIComponent(image)}/preview.png`;
export const jobPath = (job: string, rest = "") => `/api/jobs/${encodeURIComponent(job)}${rest}`;
