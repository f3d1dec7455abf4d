// The style of the viewer. One sheet, adopted by its shadow root, so that strict pages need no exception.
export const LIGHT = `--bg:#fff;--panel:#fff;--ink:#16191d;--muted:#59616b;--line:#e2e6ea;--soft:#f4f6f8;--accent:#1f5fbf;--on:#fff;
  --hover:#eef3fa;--warn:#8a4b00;--c0:#a86f00;--c1:#2479ae;--c2:#007f5d;--c3:#a8487f;--c4:#857b00;--c5:#0065a0;--c6:#b84e00`;
export const DARK = `--bg:#101317;--panel:#15191e;--ink:#e8ebee;--muted:#9aa4af;--line:#282e36;--soft:#1b2027;--accent:#7fb2f5;--on:#0d1116;
  --hover:#1d2530;--warn:#f0b266;--c0:#e69f00;--c1:#56b4e9;--c2:#1fc294;--c3:#db8fb9;--c4:#e6da4a;--c5:#4aa6e6;--c6:#f27a24`;

/** The least width of the table of regions beside the picture, in px. */
export const TABLE_PX = 585;

const COLORS = Array.from({ length: 7 }, (_, index) => `.c${index}{--color:var(--c${index})}`).join("");

export const STYLES = `
:host{all:initial;display:block;color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:host{${DARK}}}
:host(.light){color-scheme:light;${LIGHT}}
:host(.dark){color-scheme:dark;${DARK}}
${COLORS}
*{box-sizing:border-box}
.body{font:13px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--ink);background:var(--bg);text-align:left}
.sides{grid-template-columns:repeat(2,minmax(0,1fr));gap:14px 24px}
.side{display:flex;gap:10px;align-items:center;padding-bottom:10px;overflow-wrap:anywhere}
.side strong{font-weight:600}
.side div>span{display:block;color:var(--muted)}
.letter{display:inline-grid;place-items:center;flex:none;width:32px;height:32px;border-radius:9px;background:var(--ink);color:var(--bg);font-weight:700;font-size:15px}
.sides .strip{margin-top:10px}
.viewer>.controls{padding-bottom:16px}
.viewer>.panel+.columns,.viewer>.columns+.panel{margin-top:16px}
.pairs th,.settings th{color:var(--muted);font-size:12px;height:34px;white-space:nowrap}
.pairs td{padding:7px 6px;border-bottom:1px solid var(--line);vertical-align:middle!important}
.pairs td.verdict{white-space:normal;min-width:170px;max-width:290px}
.pairs .reason{display:block;line-height:1.35;font-size:12px}
.pairs tbody tr:last-child td{border-bottom:0}
.pairs td:nth-child(2),.pairs th:nth-child(2){padding-right:16px}
.pairs .end{text-align:right}
.differs{font-weight:600;color:var(--warn)}
.meter{display:inline-block;width:54px;height:6px;border-radius:3px;background:var(--line);margin-right:9px;vertical-align:1px;overflow:hidden}
.meter i{display:block;height:100%;background:var(--accent)}
.settings{padding-bottom:6px}
.settings th,.settings td{text-align:left;padding:4px 14px;font-weight:400;vertical-align:top;overflow-wrap:anywhere}
.settings table{table-layout:fixed;min-width:560px}.settings th:first-child{width:22%}
.settings tbody tr{border-top:1px solid var(--line)}
.viewer{min-width:0}
h2,h3,p,dl,dd,pre{margin:0;font:inherit}
.title{padding:2px 0 14px}
.title h2{font-size:20px;font-weight:650;letter-spacing:-.015em;line-height:1.3;overflow-wrap:anywhere}
.title p{color:var(--muted);display:flex;flex-wrap:wrap;align-items:center;gap:2px 9px;margin-top:3px}
.title strong{color:var(--ink);font-weight:600}
.dot{width:3px;height:3px;border-radius:50%;background:var(--muted)}
.columns{display:grid;gap:18px;align-items:start}
.columns>*{min-width:0}
.beside{grid-template-columns:minmax(0,54fr) minmax(${TABLE_PX}px,46fr)}
.stage{position:relative;background:#0b0d10;border-radius:10px;overflow:hidden;line-height:0}
.stage canvas{width:100%;display:block;touch-action:pan-y;cursor:crosshair;border-radius:10px;outline:none}
.stage:focus-within{box-shadow:0 0 0 2px var(--bg),0 0 0 4px var(--accent)}
.corner{position:absolute;pointer-events:none;color:#fff;font-size:12px;line-height:1.4;font-variant-numeric:tabular-nums;text-shadow:0 0 3px #000,0 0 2px #000;white-space:pre}
.corner.top{top:9px;left:11px}
.corner.window{bottom:9px;left:11px}
.corner.scale{bottom:9px;right:11px;display:flex;gap:14px;align-items:flex-end}
.corner.bar{top:10px;right:11px;display:grid;justify-items:end;gap:3px}
.corner.bar i{width:10px;height:96px;border-radius:3px;border:1px solid rgba(255,255,255,.55);background:linear-gradient(#fcfdbf,#fec287,#fb8761,#e55064,#b5367a,#812581,#4f127b)}
.corner.bar i.signed{background:linear-gradient(#ffaa40,#996626 25%,#33220d 49%,#000 50%,#122433 51%,#376b99 75%,#5cb2ff)}
.length{display:grid;justify-items:center;gap:1px}
.length path{fill:none;stroke:#fff;stroke-width:1.6;filter:drop-shadow(0 0 1px #000)}
.controls{padding:12px 2px 0;display:grid;gap:11px}
.row{display:flex;flex-wrap:wrap;align-items:center;gap:8px 12px;justify-content:space-between}
.rounds{flex-wrap:nowrap;justify-content:flex-start}
.rounds input{flex:1;min-width:60px}
.rounds output{min-width:146px;text-align:right;color:var(--muted);font-variant-numeric:tabular-nums}
.row.slices{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:4px 18px}
.slices label{min-width:0}.slices output{min-width:52px}
.slices .chosen{color:var(--ink);font-weight:600}
.slices .place{grid-column:1/-1;text-align:left;color:var(--muted)}
.strip{display:flex;gap:6px;overflow-x:auto;padding:2px;margin:-2px}
.strip button{position:relative;padding:0;border:0;border-radius:6px;flex:none;line-height:0;min-height:24px;overflow:hidden;background:#0b0d10!important;outline-offset:-2px}
.strip canvas{display:block;opacity:.86}
.strip button:hover canvas,.strip [aria-pressed=true] canvas{opacity:1}
.strip span{position:absolute;left:4px;top:4px;min-width:17px;text-align:center;padding:0 4px;border-radius:9px;background:rgba(12,14,18,.88);color:#fff;font:600 11px/17px system-ui,sans-serif}
.strip [aria-pressed=true]::after{content:"";position:absolute;inset:0;border:3px solid var(--accent);border-radius:6px}
.sliders label{display:flex;align-items:center;gap:9px;flex:1;color:var(--muted);min-width:220px}
.sliders input{flex:1;min-width:60px}
.sliders output{min-width:42px;text-align:right;font-variant-numeric:tabular-nums}
input[type=range]{accent-color:var(--accent);height:24px;margin:0}
button,select{font:inherit;color:var(--ink);background:none;border:1px solid var(--line);border-radius:7px;padding:4px 11px;min-height:30px;cursor:pointer}
button:hover:not(:disabled){background:var(--hover)}
button:disabled{opacity:.4;cursor:default}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.icon{padding:0;width:30px;height:30px;display:inline-grid;place-items:center;flex:none}
.sign path{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.sign.invert path{fill:currentColor;fill-rule:evenodd}
.sign.invert path{fill:none}
.segments,.tools{display:flex;gap:4px}
.segments{background:var(--soft);padding:3px;border-radius:9px;gap:2px}
.segments button{border:0;min-height:26px;padding:2px 12px;border-radius:7px;color:var(--muted)}
[aria-pressed=true]{background:var(--accent)!important;color:var(--on)!important;border-color:var(--accent)!important}
.panel{border:1px solid var(--line);border-radius:10px;background:var(--panel);overflow:hidden}
.panel+.panel,.controls+.panel{margin-top:16px}
.panel header{display:flex;justify-content:space-between;align-items:center;padding:10px 14px 8px;min-height:46px}
.panel h3{font-weight:650;font-size:14px}
.quiet{color:var(--muted)}
button.quiet{border-color:transparent;padding:3px 9px}
.scroll{overflow-x:auto}
.scroll:focus-visible{outline-offset:-2px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.regions thead button{border:0;padding:0;min-height:26px;color:var(--muted);font-size:12px;border-radius:4px;white-space:nowrap}
.arrow{display:inline-block;width:1em}
.regions th{font-weight:500;text-align:left;border-bottom:1px solid var(--line);padding:0 6px}
.regions td{padding:8px 6px 2px;vertical-align:top;white-space:nowrap}
.regions td:first-child,.regions th:first-child{padding-left:14px}
.regions td:last-child,.regions th:last-child{padding-right:14px}
.regions td.label{white-space:normal;overflow-wrap:anywhere;min-width:90px}
.regions .drop,.regions .stability,.regions .round{text-align:right}
.regions th.drop button,.regions th.stability button,.regions th.round button{float:right}
.regions tbody tr{cursor:pointer}
.regions tr.active{background:var(--hover)}
.regions tr.blind td{padding-bottom:8px;border-bottom:1px solid var(--line)}.regions tr.blind:last-child td{border-bottom:0}
.regions tr.quiet{color:var(--muted)}
.more td{padding:0 6px 9px!important;white-space:normal!important;border-bottom:1px solid var(--line)}
.more:last-child td{border-bottom:0}
.reason,.to{color:var(--muted)}
.badge{width:24px;height:24px;min-height:0;border-radius:50%;padding:0;font-weight:650;font-size:12px;border:2px solid var(--color);background:none}
.against{display:block;color:var(--warn);font-size:12px}
.drop.negative{color:var(--warn);font-weight:600}
.chip{display:inline-flex;align-items:center;gap:7px}
.chip svg line{stroke:currentColor;stroke-width:2.4}
.chip.weak line{stroke-dasharray:5 3}
.chip.artifact line{stroke-dasharray:.1 4.2;stroke-linecap:round;stroke-width:2.8}
.chip.supported{font-weight:600}
.chip.artifact,.chip.none{color:var(--muted)}
.problem{color:var(--warn);padding:0 0 10px}
.empty{padding:14px;color:var(--muted)}
.more dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px 16px;padding:10px 0 4px}
.more dt{color:var(--muted);font-size:12px}
.more dd{font-weight:500}
.curves svg{display:block;max-width:100%;height:auto;margin:0 auto}
.curves text{fill:var(--muted);font-size:11.5px;font-variant-numeric:tabular-nums}
.tick line{stroke:var(--line)}
.tick.now .down{stroke:var(--accent);stroke-width:2}
.tick.now text{fill:var(--ink);font-weight:600}
.curve{fill:none;stroke:var(--color);stroke-width:2;stroke-linejoin:round}
.curve.other{stroke:var(--line);stroke-width:1.3}
.curve.near{stroke:transparent;stroke-width:14}
.label.weak .curve:not(.near){stroke-dasharray:7 4}
.label.artifact .curve:not(.near){stroke-dasharray:.1 5;stroke-linecap:round;stroke-width:2.6}
.label.active .curve:not(.near){stroke-width:3.4}
.label.faded{opacity:.35}
.label circle{fill:var(--color);stroke:var(--panel);stroke-width:1}
.label circle.new{fill:var(--panel);stroke:var(--color);stroke-width:2.4}
.label .lead{fill:none;stroke:var(--color);stroke-width:1;opacity:.7}
.curves .label .name{fill:var(--ink);font-size:12.5px}
.curves .label .name.lost{text-decoration:line-through;fill:var(--muted)}
.curves .label .note{font-size:10.5px}
.switch{display:flex;gap:6px;align-items:center;color:var(--muted);cursor:pointer}
.switch input{accent-color:var(--accent);width:15px;height:15px;margin:0}
.numbers{border-top:1px solid var(--line)}
summary{cursor:pointer;padding:8px 14px;color:var(--muted)}
.numbers th,.numbers td{padding:3px 14px;text-align:right;font-weight:400;white-space:nowrap}
.numbers tr>:first-child{text-align:left}
footer{margin-top:16px;border-top:1px solid var(--line);padding-top:4px;color:var(--muted);font-size:12px}
footer summary{padding:6px 0}
footer dl>div{display:grid;grid-template-columns:84px minmax(0,1fr);gap:10px;padding:2px 0}
footer dd{color:var(--ink);overflow-wrap:anywhere}
code,pre{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{white-space:pre-wrap;max-height:240px;overflow:auto}
.note{padding:4px 0 2px}
dialog{border:1px solid var(--line);border-radius:12px;background:var(--panel);color:var(--ink);padding:20px 24px;width:min(440px,92vw)}
dialog::backdrop{background:rgba(8,10,14,.5)}
dialog h3{font-size:16px;font-weight:650;margin-bottom:10px}
dialog dl>div{display:grid;grid-template-columns:130px 1fr;gap:10px;padding:3px 0;align-items:baseline}
dialog dt{display:flex;gap:5px}
dialog p{color:var(--muted);margin:12px 0}
kbd{font:600 12px system-ui,sans-serif;border:1px solid var(--line);border-bottom-width:2px;border-radius:5px;padding:1px 7px;background:var(--soft)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (prefers-reduced-motion:no-preference){.regions tr,button{transition:background-color .12s}.label{transition:opacity .12s}}
@media (max-width:640px){.sides.charts{grid-template-columns:1fr}.sides{gap:10px}.sides .side div>span{font-size:12px}.rounds output{min-width:0}.row.slices{grid-template-columns:1fr}}
`;
