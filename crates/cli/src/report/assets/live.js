// Asks for news every few seconds; only when something has changed is the page fetched, and only what is in it replaced.
const EVERY = 3000;
let version = null;

async function news() {
  const status = document.getElementById("live");
  try {
    const answer = await fetch("version", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    if (version !== null && found.version !== version) await renew();
    version = found.version;
    status.textContent = "live: " + found.state;
    status.classList.remove("gone");
  } catch {
    status.textContent = "no answer: the run has ended or was stopped; this is the last state that was seen";
    status.classList.add("gone");
  }
  setTimeout(news, EVERY);
}

async function renew() {
  const answer = await fetch("./", { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  // Only the body: the policy of this page stays, and the fresh page's style would break it.
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text.slice(text.indexOf("<body>")), "text/html");
  const open = new Set([...document.querySelectorAll("details[open][id]")].map((details) => details.id));
  const focus = document.activeElement?.id;
  document.querySelector("nav").replaceWith(document.adoptNode(fresh.querySelector("nav")));
  document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
  for (const details of document.querySelectorAll("details[id]")) details.open = open.has(details.id);
  start();
  if (focus) document.getElementById(focus)?.focus();
}

news();
