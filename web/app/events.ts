// The stream of events. One tab of a browser listens and tells the others, because browsers allow few connections to a host.
const KINDS = ["state", "progress", "round", "finished", "what_if", "model", "image", "deleted"];
const AGAIN = 1500; // ms until a closed stream is opened again

export interface ServerEvent {
  id: number;
  kind: string;
  data: Record<string, unknown>;
}

export type Connection = "live" | "lost";

/** What is sent between tabs. */
type Message = { event: ServerEvent } | { connection: Connection } | { ask: true };

export class Events {
  private source: EventSource | null = null;
  private readonly channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("unveil events");
  private timer = 0;
  private leads = false;
  private connection: Connection = "live";

  /** `last` is the newest event that is known; those after it are told. */
  constructor(private last: number, private readonly onEvent: (event: ServerEvent) => void, private readonly onConnection: (state: Connection) => void) {
    if (this.channel) this.channel.onmessage = (message: MessageEvent<Message>) => this.hear(message.data);
    if (navigator.locks && this.channel) void navigator.locks.request("unveil events", () => this.lead());
    else {
      document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
      if (!document.hidden) this.open();
    }
    this.channel?.postMessage({ ask: true } satisfies Message);
  }

  /** Listen until this tab ends. */
  private lead(): Promise<void> {
    this.leads = true;
    this.open();
    return new Promise(() => undefined);
  }

  private hear(message: Message): void {
    if ("event" in message) this.take(message.event);
    else if ("connection" in message) this.onConnection(message.connection);
    else if (this.leads) this.channel?.postMessage({ connection: this.connection } satisfies Message);
  }

  private take(event: ServerEvent): void {
    if (event.id && event.id <= this.last) return;
    this.last = Math.max(this.last, event.id);
    this.onEvent(event);
  }

  private tell(connection: Connection): void {
    this.connection = connection;
    this.onConnection(connection);
    this.channel?.postMessage({ connection } satisfies Message);
  }

  private close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** The server goes on after the last event that is known: by this address, and by Last-Event-ID where the browser opens it again. */
  private open(): void {
    this.close();
    const source = new EventSource(`/api/events?after=${this.last}`);
    this.source = source;
    source.onopen = () => this.tell("live");
    source.onerror = () => {
      this.tell("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.open(), AGAIN);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (message: MessageEvent<string>) => {
        const event = { id: Number(message.lastEventId) || 0, kind, data: JSON.parse(message.data || "{}") as Record<string, unknown> };
        this.channel?.postMessage({ event } satisfies Message);
        this.take(event);
      });
    }
  }
}
