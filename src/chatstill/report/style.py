"""The style sheet of the page: light and dark, wide and narrow."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--card:#f7f8fa;--ink:#1b1f24;--soft:#5b6470;
--rule:#dfe3e8;--own:#eef4fd;--c0:#5b6470;--c1:#d1700a;--c2:#1666c5;--c3:#0b8a5f;--c4:#a03ca8;--c5:#8a6d00}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e6e9ed;
--soft:#9aa4b0;--rule:#333a43;--own:#1b2a3f;--c0:#a9b2bd;--c1:#f0a04b;--c2:#6cb2ff;--c3:#4fd1a5;--c4:#dd92e4;
--c5:#e0c452}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif}
main{max-width:1240px;margin:0 auto;padding:2rem 1.25rem 3rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.2rem 0 .7rem}
h3{font-size:.95rem;margin:0 0 .5rem}
.summary{font-size:1.08rem;max-width:62rem;margin:0}
.soft,.notes{color:var(--soft);font-size:.88rem;max-width:62rem}
.notes,.warned{padding-left:1.1rem}
.warned{font-size:.92rem;max-width:62rem}
.warned ::marker{color:var(--c1)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.5rem .6rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--rule)}
th:first-child{text-align:left}
thead th{color:var(--soft);font-weight:600;font-size:.82rem;vertical-align:bottom;text-wrap:balance}
tbody th{font-weight:600;min-width:9rem}
td small{display:block;color:var(--soft);font-size:.78rem;white-space:nowrap}
td{white-space:nowrap}
.own{background:var(--own)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:1rem}
figure{margin:0;padding:1rem;background:var(--card);border-radius:10px;min-width:0}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-family:inherit;font-size:12.5px;fill:var(--ink)}
svg .tick{font-size:12px;fill:var(--soft)}
svg .label{fill:var(--soft)}
svg .note{font-size:12px;fill:var(--soft);paint-order:stroke;stroke:var(--card);stroke-width:4px}
svg .name{font-weight:600;fill:var(--c);paint-order:stroke;stroke:var(--card);stroke-width:3px}
.grid{stroke:var(--rule)}
.axis,.leader{stroke:var(--soft)}
.leader{stroke-width:.8}
.mark{stroke:var(--soft);stroke-dasharray:4 4}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.dot{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.bar{fill:none;stroke:var(--c);stroke-width:1.6}
.hover{fill:var(--c);opacity:0}
.hover:hover{opacity:1}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}
.c5{--c:var(--c5)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.5rem 0 0;padding:0;
font-size:.85rem}
.key{display:inline-block;width:1.1rem;height:3px;border-radius:2px;background:var(--c);
margin-right:.45rem;vertical-align:middle}
.classes{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:1.5rem}
.classes>div{overflow-x:auto}
.classes.wide{grid-template-columns:minmax(0,1fr)}
.confusion th,.confusion td{padding:.35rem .4rem}
.confusion caption{caption-side:bottom;text-align:left;color:var(--soft);font-size:.82rem;padding-top:.4rem}
.confusion td{text-align:center;border:1px solid var(--paper);
background:color-mix(in srgb,var(--c1) calc(var(--share)*85%),var(--card))}
.confusion td.right{background:color-mix(in srgb,var(--c3) calc(var(--share)*60%),var(--card))}
.confusion thead th{text-align:center}
details{border:1px solid var(--rule);border-radius:10px;margin-top:.8rem;padding:.6rem .9rem}
summary{cursor:pointer;font-weight:600}
.values{margin-top:.6rem;font-size:.85rem;table-layout:fixed}
.values th,.values td{white-space:normal;text-align:left;padding:.25rem .5rem .25rem 0;
overflow-wrap:anywhere;min-width:0}
.values th{font-weight:400;color:var(--soft)}
.values th{width:36%}
.values td+td{width:18%;color:var(--soft)}
.values code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (max-width:760px){
main{padding:1.2rem .9rem 2rem}
h1{font-size:1.35rem}
.main thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.main table,.main tbody,.main tr,.main th,.main td{display:block;width:auto}
.main tr{border:1px solid var(--rule);border-radius:10px;margin-bottom:.8rem;padding:.5rem .8rem}
.main tbody th{text-align:left;font-size:1rem;padding:.2rem 0 .4rem}
.main td{display:flex;justify-content:space-between;gap:1rem;padding:.3rem 0;border:0}
.main td::before{content:attr(data-label);color:var(--soft)}
figure{padding:.8rem .6rem}
.values tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--rule)}
.values th{grid-column:1/-1;width:auto;border:0;padding:.25rem 0 0}
.values td,.values td+td{width:auto;border:0;padding:0 0 .25rem}
}
"""
