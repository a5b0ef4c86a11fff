'use strict';
const $ = (id) => document.getElementById(id);
const pageId = sessionStorage.getItem('page') || Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, '0')).join('');
sessionStorage.setItem('page', pageId);

const decided = { accept: 'accepted', reject: 'rejected', edit: 'edited', skip: 'skipped' };
const drafts = new Map();
let sample = null;
let lastIdx = null;
let busy = false;
let isWritten = false;
let again = null;

const who = () => ({ page: pageId, reviewer: $('reviewer').value.trim() });
const filter = () => Object.fromEntries(new FormData($('filter')));

async function ask(what, body) {
  let reply;
  try {
    reply = await fetch('api/' + what, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  } catch {
    throw { retry: true, error: 'The server does not answer. Nothing that was saved is lost; is `ruminate review` still running?' };
  }
  const answer = await reply.json().catch(() => ({ error: 'The server gave no readable answer (HTTP ' + reply.status + ').' }));
  if (reply.status === 403) throw { error: 'This address is no longer valid: the review was started again. Open the address that it printed. (' + answer.error + ')' };
  if (!reply.ok) throw { status: reply.status, retry: reply.status >= 500, ...answer };
  return answer;
}

// One request at a time: a key that is pressed twice must not decide about an example that nobody has read.
async function turn(work) {
  if (busy) return;
  busy = true;
  document.body.setAttribute('aria-busy', 'true');
  hideBanner();
  try {
    await work();
  } catch (problem) {
    if (!problem.error) throw problem;
    const buttons = problem.retry ? [['Try again', () => turn(work)]] : [];
    showBanner(problem.error, [...buttons, ['Close', hideBanner]]);
  } finally {
    busy = false;
    document.body.removeAttribute('aria-busy');
  }
}

const move = (way, from = lastIdx) => turn(async () => show(await ask('move', { who: who(), filter: filter(), from, way })));

function decide(decision, text) {
  if (!sample) return;
  const wish = { id: sample.id, version: sample.version, decision, text: text ?? null };
  const { id, idx } = sample;
  const save = async (version) => {
    let answer;
    try {
      answer = await ask('decide', { who: who(), wish: { ...wish, version } });
    } catch (problem) {
      if (problem.status !== 409) throw problem;
      return conflict(problem.conflict, decision, id, (current) => turn(() => save(current)));
    }
    drafts.delete(id);
    progress(answer.progress);
    show(await ask('move', { who: who(), filter: filter(), from: idx, way: 'forward' }));
    say(capital(decided[decision]) + '. ' + where());
  };
  if (decision === 'accept' && sample.decision?.decision === 'edit' && !busy) {
    return showBanner('Accepting takes the original text in place of the edit by ' + sample.decision.reviewer + '.', [
      ['Take the original', () => turn(() => save(wish.version))], ['Keep the edit', hideBanner]]);
  }
  return turn(() => save(wish.version));
}

function conflict(found, decision, id, overwrite) {
  const now = found.current;
  const what = now ? now.reviewer + ' has ' + decided[now.decision] + ' this example at ' + clock(now.at_unix_secs) + '.' : 'Somebody has taken back the decision about this example.';
  showBanner(what + ' Yours (' + decision + ') was not saved.', [
    ['Save mine instead', () => overwrite(found.version)],
    [now ? 'Keep theirs' : 'Show it again', () => turn(async () => show(await ask('look', { who: who(), filter: filter(), id })))],
  ]);
}

const undo = () => turn(async () => {
  try {
    show(await ask('undo', { who: who(), filter: filter() }));
    say('Taken back. ' + where());
  } catch (problem) {
    if (problem.status === 404) return say('Nothing to undo on this page.');
    if (problem.status !== 409) throw problem;
    const now = problem.conflict.current;
    showBanner('Not undone: ' + (now ? now.reviewer + ' has since ' + decided[now.decision] : 'somebody has since changed the decision about') + ' ' + problem.conflict.id + '.', [['Close', hideBanner]]);
  }
});

function show(answer) {
  sample = answer.sample;
  closeEditor();
  progress(answer.progress);
  $('main').hidden = !sample;
  $('empty').hidden = Boolean(sample);
  for (const button of document.querySelectorAll('[data-do]')) button.disabled = !sample && ['accept', 'reject', 'edit', 'skip'].includes(button.dataset.do);
  if (!sample) return showEmpty(answer.progress);
  lastIdx = sample.idx;
  $('where').textContent = 'Example ' + answer.position + ' of ' + answer.n_matching;
  if (sample.decision && filter().decision === 'open') $('where').textContent = 'Decided';
  badges();
  $('turns').replaceChildren(...sample.turns.map(card));
  setResponse(sample, $('reasoning'), $('summary'));
  $('reasoning-card').hidden = sample.reasoning_html === null;
  $('summary-title').textContent = sample.reasoning_html === null ? 'Response' : 'Summary';
  $('written').textContent = sample.text;
  showWritten(isWritten);
  $('verdicts').replaceChildren(...(sample.verdicts.length ? sample.verdicts.map(finding) : [element('li', 'none')]));
  $('gold').textContent = sample.gold;
  about();
  document.title = $('where').textContent + ' · ' + $('stage').textContent;
  window.scrollTo(0, 0);
}

function badges() {
  const list = [element('span', sample.source, 'badge'), element('span', sample.kind, 'badge')];
  if (sample.decision) list.push(element('span', decided[sample.decision.decision] + ' by ' + sample.decision.reviewer, 'badge ' + sample.decision.decision));
  if (sample.holder) list.push(element('span', sample.holder + ' looks at it too', 'badge held'));
  $('badges').replaceChildren(...list);
}

function card(turn) {
  const section = element('section', null, 'card ' + turn.role);
  section.append(element('h2', { system: 'System', user: 'Prompt', assistant: 'Earlier response' }[turn.role]));
  const text = element('div', null, 'text');
  text.innerHTML = turn.html;
  section.append(text);
  return section;
}

function setResponse(response, reasoning, summary) {
  // Cleaned by the server: see review/render.rs.
  reasoning.innerHTML = response.reasoning_html ?? '';
  summary.innerHTML = response.summary_html;
}

function finding(verdict) {
  const item = element('li');
  const head = element('b', verdict.component + ': ' + verdict.outcome, verdict.outcome === 'right' ? 'right' : 'not-right');
  item.append(head, element('span', verdict.reason + ' (reward ' + Number(verdict.reward.toFixed(3)) + ')'));
  return item;
}

function about() {
  const rows = [['id', sample.id], ['source', sample.source], ['kind', sample.kind], ['language', sample.language]];
  if (sample.difficulty !== null) rows.push(['difficulty', sample.difficulty]);
  rows.push(['length', sample.text.length.toLocaleString() + ' letters']);
  if (sample.decision) rows.push(['decided', decided[sample.decision.decision] + ' by ' + sample.decision.reviewer + ', ' + new Date(sample.decision.at_unix_secs * 1000).toLocaleString()]);
  $('about').replaceChildren(...rows.flatMap(([name, value]) => [element('dt', name), element('dd', String(value))]));
}

function showEmpty(p) {
  const isAll = p.n_reviewed + p.n_skipped === p.n_examples;
  $('empty-title').textContent = isAll ? 'Every example has been seen' : 'No example fits';
  $('empty-text').textContent = isAll
    ? 'The decisions are in review.json of the stage. Run the recipe again to learn from them.'
    : 'Nothing here fits the filter, or others are looking at what does.';
  document.title = $('empty-title').textContent;
}

function progress(p) {
  const part = (id, n) => { $(id).style.width = (100 * n / p.n_examples) + '%'; };
  part('bar-accept', p.n_accepted); part('bar-edit', p.n_edited); part('bar-reject', p.n_rejected); part('bar-skip', p.n_skipped);
  const meter = $('meter');
  meter.setAttribute('aria-valuemax', p.n_examples);
  meter.setAttribute('aria-valuenow', p.n_reviewed);
  meter.setAttribute('aria-valuetext', p.n_reviewed + ' of ' + p.n_examples + ' reviewed');
  const parts = [p.n_reviewed + ' of ' + p.n_examples + ' reviewed', p.n_accepted + ' accepted', p.n_edited + ' edited', p.n_rejected + ' rejected'];
  if (p.n_skipped) parts.push(p.n_skipped + ' skipped');
  const names = Object.entries(p.reviewers);
  if (names.length > 1) parts.push(names.map(([name, n]) => name + ' ' + n).join(', '));
  if (p.secs_left !== null && p.secs_left > 0) parts.push('about ' + duration(p.secs_left) + ' left');
  if (p.n_gone) parts.push(p.n_gone + ' decisions are about examples that are gone: the stage will not take them');
  $('counts').textContent = parts.join(' · ');
}

function openEditor() {
  if (!sample || busy) return;
  $('editor').hidden = false;
  $('edit-text').value = drafts.get(sample.id) ?? sample.text;
  preview();
  $('edit-text').focus();
  $('editor').scrollIntoView({ block: 'start' });
}

function closeEditor() {
  if ($('editor').contains(document.activeElement)) document.activeElement.blur();
  $('editor').hidden = true;
}

const saveEdit = () => decide('edit', $('edit-text').value);

let previewTimer = 0;
function preview() {
  clearTimeout(previewTimer);
  previewTimer = setTimeout(async () => {
    const text = $('edit-text').value;
    try {
      const set = await ask('preview', { text });
      if (text !== $('edit-text').value) return;
      const parts = [['Reasoning', set.reasoning_html], [set.reasoning_html === null ? 'Response' : 'Summary', set.summary_html]].filter(([, html]) => html !== null);
      $('preview').replaceChildren(...parts.flatMap(([title, html]) => {
        const body = element('div', null, 'text');
        body.innerHTML = html;
        return [element('h2', title), body];
      }));
    } catch {
      $('preview').textContent = 'No preview: the server does not answer.';
    }
  }, 200);
}

function showWritten(is) {
  isWritten = is;
  $('written-card').hidden = !is;
  $('reasoning-card').hidden = is || !sample || sample.reasoning_html === null;
  $('summary-card').hidden = is;
}

function showBanner(text, buttons) {
  $('banner-text').textContent = text;
  $('banner-buttons').replaceChildren(...buttons.map(([name, act]) => {
    const button = element('button', name, 'quiet');
    button.type = 'button';
    button.addEventListener('click', act);
    return button;
  }));
  $('banner').hidden = false;
  $('banner').scrollIntoView({ block: 'nearest' });
}

function hideBanner() {
  $('banner').hidden = true;
}

let sayTimer = 0;
function say(text) {
  clearTimeout(sayTimer);
  $('status').textContent = text;
  sayTimer = setTimeout(() => { $('status').textContent = ''; }, 2500);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text != null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const where = () => (sample ? $('where').textContent + '.' : '');
const clock = (secs) => new Date(secs * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
function duration(secs) {
  if (secs < 90) return Math.max(1, Math.round(secs)) + ' s';
  if (secs < 5400) return Math.round(secs / 60) + ' min';
  return (secs / 3600).toFixed(1) + ' h';
}

function describeFilter() {
  const chosen = filter();
  const parts = [$('filter').elements.decision.selectedOptions[0].textContent];
  for (const name of ['source', 'kind', 'verdict']) if (chosen[name]) parts.push(chosen[name]);
  if (chosen.text.trim()) parts.push('“' + chosen.text.trim() + '”');
  $('filter-text').textContent = parts.join(', ');
}

function options(select, counts) {
  const list = Object.entries(counts).map(([name, n]) => {
    const option = element('option', name + ' (' + n + ')');
    option.value = name;
    return option;
  });
  const any = element('option', 'any');
  any.value = '';
  select.replaceChildren(any, ...list);
}

const acts = {
  accept: () => decide('accept'), reject: () => decide('reject'), skip: () => decide('skip'), edit: openEditor, undo,
  forward: () => move('forward'), back: () => move('backward'),
};
const keys = { a: 'accept', r: 'reject', e: 'edit', s: 'skip', u: 'undo', j: 'forward', ArrowRight: 'forward', k: 'back', ArrowLeft: 'back' };

document.addEventListener('keydown', (event) => {
  const isWriting = event.target.closest('input, textarea, select');
  if (event.key === 'Escape' && !$('editor').hidden && !$('help').open) return closeEditor();
  if (event.key === 'Escape' && isWriting) return event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isWriting || $('help').open) return;
  if (event.key === '?') return $('help').showModal();
  if (event.key === 't') return showWritten(!isWritten);
  if (event.key === '/') {
    event.preventDefault();
    $('filters').open = true;
    return $('filter').elements.text.focus();
  }
  // While the editor is open, a stray key must not throw the draft away.
  if (keys[event.key] && $('editor').hidden && !event.repeat) {
    event.preventDefault();
    acts[keys[event.key]]();
  }
});
for (const button of document.querySelectorAll('[data-do]')) button.addEventListener('click', () => acts[button.dataset.do]());
$('editor').addEventListener('submit', (event) => { event.preventDefault(); saveEdit(); });
$('edit-text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); saveEdit(); }
});
$('edit-text').addEventListener('input', () => { drafts.set(sample.id, $('edit-text').value); preview(); });
$('edit-cancel').addEventListener('click', closeEditor);
$('edit-original').addEventListener('click', () => { $('edit-text').value = sample.original; drafts.delete(sample.id); preview(); $('edit-text').focus(); });
$('help-open').addEventListener('click', () => $('help').showModal());
$('empty-all').addEventListener('click', () => { $('filter').reset(); $('filter').elements.decision.value = 'any'; describeFilter(); move('stay', 0); });
$('filter').addEventListener('submit', (event) => event.preventDefault());
$('filter').addEventListener('input', () => { describeFilter(); clearTimeout(again); again = setTimeout(() => move('stay'), 250); });
$('filter-clear').addEventListener('click', () => { $('filter').reset(); describeFilter(); move('stay'); });
$('reviewer').addEventListener('change', () => localStorage.setItem('reviewer', $('reviewer').value.trim()));
window.addEventListener('beforeunload', (event) => { if (drafts.size) event.preventDefault(); });

// Tells the server that somebody still reads, and learns whether somebody else has decided.
setInterval(async () => {
  if (!sample || busy || document.hidden) return;
  const { id, version } = sample;
  try {
    const now = await ask('hold', { who: who(), id });
    if (sample?.id !== id || busy) return;
    progress(now.progress);
    if (now.version !== version && $('banner').hidden) {
      showBanner('The decision about this example has changed since it was shown.', [
        ['Show it again', () => turn(async () => show(await ask('look', { who: who(), filter: filter(), id })))]]);
    }
  } catch { /* the next request of the reviewer says so */ }
}, 15000);

turn(async () => {
  const start = await ask('start', {});
  $('stage').textContent = start.stage;
  $('reviewer').value = localStorage.getItem('reviewer') || start.reviewer;
  options($('filter').elements.source, start.facets.sources);
  options($('filter').elements.kind, start.facets.kinds);
  options($('filter').elements.verdict, start.facets.verdicts);
  describeFilter();
  show(await ask('move', { who: who(), filter: filter(), from: null, way: 'stay' }));
});
