
"use strict";
(() => {
  const AGAIN_MS = 5000, RELOAD_MS_MIN = 10000, OLD_MS = 60000, EDGE = 16, SIDE = 320;
  const M_PER_DEG = 111194.93;
  const part = (id) => document.getElementById(id);
  const [says, next, age, sketch] = ["says", "next", "age", "sketch"].map(part);
  const [vehicle, course] = ["vehicle", "course"].map(part);
  // When the position came in, by the clock of this page; null while none is known.
  let heard = null, over = false;

  // A text that is the same is left alone: it would be read out again.
  const say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  const hear = (ms) => { heard = performance.now() - ms; };

  const tick = () => {
    if (over) return;
    if (heard === null) return;
    const s = Math.max(0, Math.floor((performance.now() - heard) / 1000));
    const words = s < 60 ? `Seen ${s} s ago`
      : s < 3600 ? `Position is ${Math.floor(s / 60)} min old`
      : `Position is ${Math.floor(s / 3600)} h old`;
    say(age, words);
    age.className = s * 1000 < OLD_MS ? "fresh" : "old";
  };

  const reload = () => {
    if (performance.now() > RELOAD_MS_MIN) location.reload();
  };

  // The frame of the sketch is the server's; what leaves it needs another.
  const move = (seen) => {
    const [lat, lon] = seen.gps.split(",").map(Number);
    const { lat: lat0, lon: lon0, metres } = sketch.dataset;
    const east = ((lon - Number(lon0) + 540) % 360 + 360) % 360 - 180;
    const narrow = Math.max(0.01, Math.cos(Number(lat0) * Math.PI / 180));
    const x = SIDE / 2 + east * M_PER_DEG * narrow / Number(metres);
    const y = SIDE / 2 - (lat - Number(lat0)) * M_PER_DEG / Number(metres);
    const inside = (at) => at >= EDGE && at <= SIDE - EDGE;
    if (!inside(x) || !inside(y)) return reload();
    vehicle.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    vehicle.setAttribute("visibility", "visible");
    const known = seen.course_cdeg !== null;
    if (known) course.setAttribute("transform", `rotate(${(seen.course_cdeg / 100).toFixed(1)})`);
    course.setAttribute("visibility", known ? "inherit" : "hidden");
  };

  const show = (ride) => {
    say(says, ride.says);
    document.title = ride.says;
    say(next, ride.next === null ? "" : ride.next.says);
    if (ride.location !== null) {
      hear(ride.location.age_ms);
      move(ride.location);
      say(part("sketch-told"), ride.next === null ? "" : `The vehicle is ${ride.next.says}.`);
    }
    tick();
  };

  const end = (message) => {
    over = true;
    say(says, message);
    document.title = message;
    for (const element of [next, age]) say(element, "");
    vehicle.setAttribute("visibility", "hidden");
  };

  // A stream that was refused does not begin again by itself. Until it does, the link is asked.
  const again = async () => {
    try {
      const asked = { headers: { accept: "application/json" }, cache: "no-store" };
      const answer = await fetch(location.pathname, asked);
      if (answer.status === 404 || answer.status === 410) return location.reload();
      if (answer.ok) show(await answer.json());
    } catch {
      // Nobody is there at the moment.
    }
    setTimeout(follow, AGAIN_MS);
  };

  const follow = () => {
    const events = new EventSource(`${location.pathname}/events`);
    events.onmessage = (event) => show(JSON.parse(event.data));
    events.addEventListener("over", (event) => {
      events.close();
      end(JSON.parse(event.data).message);
    });
    events.addEventListener("changed", () => location.reload());
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED && !over) again();
    };
  };

  if (age.dataset.ageMs !== "") hear(Number(age.dataset.ageMs));
  setInterval(tick, 1000);
  follow();
})();
