// Says when a page can no longer be believed, and what to do; loads a page again that lost its widgets while it was drawn.
(() => {
  const VISIBLE = 3000, HIDDEN = 30000, PATIENCE = 5000, SOON = 1000  // milliseconds between two questions, for an answer, until a second try
  const clock = when => when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const opened = new Date()
  let used = Date.now(), timer = 0, failed = 0, away = null, cut = null, wasConnected = false, later = '', shownState = ''

  const kernel = () => {
    const config = document.getElementById('jupyter-config-data')
    return config ? JSON.parse(config.textContent).kernelId : ''
  }
  const make = (name, text, act) => {
    const one = document.createElement(name)
    one.textContent = text
    if (act) one.addEventListener('click', act)
    if (name === 'button') one.type = 'button'
    return one
  }

  // What there is to say. The first of these that is so is said.
  const reload = () => location.reload()
  const old = `The figures below were loaded at ${clock(opened)}`
  const signIn = () => location.assign(`/login?next=${encodeURIComponent(location.pathname)}`)
  const ENDED = {
    died: 'The program behind this page has stopped.',
    left: 'This page was closed because it was left for some minutes.',
    room: 'This page was closed because you opened more dashboards than one user may have; this one had not been used for longest.'
  }
  const SAYINGS = {
    out: () => ['alert', 'You are signed out.', `${old} and change no more.`, ['Sign in again', signIn]],
    ended: why => ['alert', ENDED[why] || 'This page has ended.', `${old} and change no more.`, ['Reload', reload]],
    away: () => ['alert', `The server has not answered since ${clock(away)}.`, `${old}. This page tries again every few seconds.`, ['Try now', () => ask()]],
    cut: () => ['alert', `This page lost its connection at ${clock(cut)}.`, `${old}. It is being connected again; if that takes long, reload.`, ['Reload', reload]],
    newer: name => ['status', 'Newer figures are there.', '', ['Reload', reload], ['Later', () => { later = name; say('', '') }]],
    back: () => ['status', 'The server answers again.', '', ['Close', () => say('', '')]]
  }

  // The banner: one place for what is urgent and one for what is not, there before anything is said, so that a screen reader follows.
  let root = null
  const host = () => document.querySelector('dialog:modal') || document.body
  const place = () => {
    if (!document.body) return
    if (!root) {
      root = document.createElement('div')
      root.id = 'crm-banner'
      for (const role of ['alert', 'status']) {
        const part = document.createElement('div')
        part.setAttribute('role', role)
        root.append(part)
      }
    }
    if (root.parentNode !== host()) host().prepend(root)  // what is outside of an open dialog can be neither seen nor reached
  }
  const say = (state, detail) => {
    place()
    if (!root || shownState === state + detail) return
    shownState = state + detail
    for (const part of root.children) part.replaceChildren()
    root.dataset.state = state
    if (!state) return
    const [role, lead, rest, ...acts] = SAYINGS[state](detail)
    const text = make('p', '')
    text.append(make('strong', lead), rest && ` ${rest}`)
    root.querySelector(`[role=${role}]`).append(text, ...acts.map(([name, act]) => make('button', name, act)))
  }

  // What the server answers, in one word.
  const judge = answer => {
    if (answer === 'out') return ['out']
    if (kernel() && !answer.lives) return ['ended', answer.why]
    if (answer.connected) cut = null
    else if (wasConnected) cut = cut || new Date()
    wasConnected = wasConnected || answer.connected
    if (cut && Date.now() - cut > 5000) return ['cut']
    if (answer.lives && answer.bundle && answer.bundle !== answer.shown && answer.bundle !== later) return ['newer', answer.bundle]
    if (shownState.startsWith('away')) setTimeout(() => shownState.startsWith('back') && say('', ''), 8000)
    return shownState.startsWith('away') || shownState.startsWith('back') ? ['back'] : ['']
  }
  const read = async () => {
    const idle = Math.round((Date.now() - used) / 1000)
    const answer = await fetch(`/pulse/${kernel()}?idle=${idle}`, { redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) })
    if (answer.type === 'opaqueredirect' || answer.status === 401 || answer.status === 403) return 'out'
    if (!answer.ok) throw new Error(String(answer.status))
    return answer.json()
  }
  let asking = false
  const ask = async () => {
    clearTimeout(timer)
    if (asking) return
    asking = true
    const began = new Date()
    try {
      const [state, detail = ''] = judge(await read())
      failed = 0
      away = null
      say(state, detail)
    } catch (error) {
      failed += 1
      away = away || began
      if (failed > 1 || Date.now() - began >= PATIENCE) say('away', '')
    }
    asking = false
    const pause = failed === 1 ? SOON : document.hidden ? HIDDEN : VISIBLE
    timer = setTimeout(ask, pause)
  }

  for (const name of ['pointerdown', 'keydown', 'wheel', 'touchmove']) addEventListener(name, () => { used = Date.now() }, { passive: true, capture: true })
  document.addEventListener('visibilitychange', () => { used = Date.now(); if (!document.hidden) ask() })
  document.addEventListener('toggle', place, true)
  document.addEventListener('close', place, true)
  addEventListener('online', () => ask())
  addEventListener('pagehide', () => { clearTimeout(timer); asking = true })
  addEventListener('pageshow', event => { if (event.persisted) { asking = false; ask() } })
  ask()

  // On a busy server a browser may give up on its widgets after four seconds: such a page is loaded again, three times at most.
  const key = `crm-again ${location.pathname}`
  const look = setInterval(() => {
    place()
    const drawn = document.querySelector('.crm-root'), lost = document.body && document.body.innerText.includes('Error displaying widget')
    const late = document.readyState === 'complete' && Date.now() - opened > 40000, again = Number(sessionStorage.getItem(key))
    if (root && root.dataset.state && root.dataset.state !== 'newer') return  // a server that is away would answer with nothing at all
    if (drawn || again > 2) { clearInterval(look); sessionStorage.removeItem(key) }
    else if (lost || late) { clearInterval(look); sessionStorage.setItem(key, again + 1); setTimeout(reload, 500 + 3000 * Math.random()) }
  }, 1000)
})()
