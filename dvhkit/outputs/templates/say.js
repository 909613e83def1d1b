"use strict";
// What the page says, by key, in its language; places such as {n} are filled in, and {n} chooses the form of a plural.
const say = (() => {
  const words = JSON.parse(document.getElementById("words").textContent), plural = new Intl.PluralRules(document.documentElement.lang);
  return (key, given = {}) => {
    const found = words[key], text = typeof found === "string" ? found : found[plural.select(given.n)] || found.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => (name === "n" && given.shown !== undefined ? given.shown : given[name]));
  };
})();
