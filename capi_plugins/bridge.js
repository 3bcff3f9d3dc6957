/* Tells the server what the visitor answered to a consent banner that keeps the answer in the
   browser: copies it into the first-party cookie capi_consent. One refusal is enough.
   And tells it of events that happen in the page alone, where CAPI["BROWSER"]["COLLECT"] is on. */
(function () {
  "use strict";
  if (window.capiConsent) return;

  var answers = {}; // by banner: true, false, or null: asked, and not decided

  function keep() {
    var told = Object.keys(answers).map(function (banner) { return answers[banner]; });
    var answer = told.indexOf(false) >= 0 ? "denied" : told.indexOf(true) >= 0 ? "granted" : "";
    document.cookie =
      "capi_consent=" + (answer && "marketing:" + answer) +
      "; path=/; max-age=" + (answer ? 15552000 : 0) + "; SameSite=Lax" +
      (location.protocol === "https:" ? "; Secure" : "");
  }

  function tell(banner, answer) {
    if (answers[banner] === answer) return;
    answers[banner] = answer;
    keep();
  }

  function decided(value, yes, no) {
    return value === yes ? true : value === no ? false : null;
  }

  window.capiConsent = function (answer) {
    tell("page", decided(answer, "granted", "denied"));
  };

  var script = document.currentScript;
  var place = script && script.src && new URL("collect", script.src).href;

  function randomId() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.prototype.map.call(bytes, function (byte) {
      return (byte + 256).toString(16).slice(1);
    }).join("");
  }

  /* The pixel sends the event only when the server does, under the id that the server uses. */
  function twin(name, data, answer) {
    var told = (answer.headers.get("Capi-Twin") || "").split(" ");
    if (told[1] && window.fbq) window.fbq(told[0], name, data, {eventID: told[1]});
  }

  window.capi = {
    track: function (name, data) {
      if (!place) return;
      var event = {
        event_name: name, event_id: randomId(), custom_data: data || {},
        url: location.href, twin: !!(window.fetch && window.fbq)
      };
      var body = JSON.stringify(event);
      if (!window.fetch) return void navigator.sendBeacon(place, body);
      fetch(place, {
        method: "POST", body: body, headers: {"Content-Type": "application/json"},
        credentials: "same-origin", keepalive: true
      }).then(function (answer) { twin(name, event.custom_data, answer); }).catch(function () {});
    }
  };

  /* Each of these returns whether the banner is there, and from then on is told by it. */
  var banners = [
    function termly() {
      var api = window.Termly;
      if (!api || !api.getConsentState || !api.on) return false;
      function look() {
        tell("termly", decided((api.getConsentState() || {}).advertising, true, false));
      }
      api.on("initialized", look);
      api.on("consent", look);
      if (api.getConsentState()) look();
      return true;
    },
    function osano() {
      var api = window.Osano && window.Osano.cm;
      if (!api || !api.addEventListener) return false;
      function look(consent) {
        tell("osano", decided((consent || {}).MARKETING, "ACCEPT", "DENY"));
      }
      api.addEventListener("osano-cm-initialized", look);
      api.addEventListener("osano-cm-consent-saved", look);
      return true;
    }
  ];

  /* Google consent mode and Usercentrics speak through the data layer. */
  function said(item) {
    if (!item) return;
    if (item[0] === "consent" && item[1] === "update") google(item[2] || {});
    if (item.event === "consent_status") usercentrics(item);
  }

  var types = {ad_storage: null, ad_user_data: null};
  function google(consent) {
    // An update may hold nothing but what changed.
    var names = Object.keys(types);
    names.forEach(function (name) { types[name] = consent[name] || types[name]; });
    function are(word) { return function (name) { return types[name] === word; }; }
    tell("google", names.some(are("denied")) ? false : names.every(are("granted")) ? true : null);
  }

  function usercentrics(item) {
    if (String(item.type).toLowerCase() !== "explicit") return tell("usercentrics", null);
    var own = Object.keys(item).filter(function (name) {
      return /^(facebook|meta) /i.test(name) && typeof item[name] === "boolean";
    });
    var answer = own.length
      ? own.every(function (name) { return item[name]; })
      : (item.ucCategory || {}).marketing;
    tell("usercentrics", decided(answer, true, false));
  }

  function safely(work) {
    return function (value) {
      try { return work(value); } catch (error) { return false; }
    };
  }

  var layer = (window.dataLayer = window.dataLayer || []);
  var listen = safely(said);
  Array.prototype.slice.call(layer).forEach(listen);
  var push = layer.push;
  layer.push = function () {
    Array.prototype.forEach.call(arguments, listen);
    return push.apply(layer, arguments);
  };

  /* Banners come when they come; after half a minute none is expected any more. */
  var waiting = banners.map(safely);
  var looks = 0;
  (function look() {
    waiting = waiting.filter(function (attach) { return !attach(); });
    looks += 1;
    if (waiting.length && looks < 150) setTimeout(look, 200);
  })();
})();
