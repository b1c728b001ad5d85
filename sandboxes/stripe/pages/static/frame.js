// Runs inside the sandbox's own frame: holds the card inputs, speaks to the API, answers the page around it.
(function () {
  "use strict";

  var query = new URLSearchParams(window.location.search);
  var KEY = query.get("key") || "";
  var PARENT = query.get("parent") || "";
  var form = document.getElementById("card");
  var complaint = document.getElementById("complaint");

  function tell(message) { window.parent.postMessage(message, PARENT); }

  function encode(value, path, into) {
    if (value === undefined || value === null) { return; }
    if (typeof value === "object") {
      Object.keys(value).forEach(function (name) { encode(value[name], path ? path + "[" + name + "]" : name, into); });
    } else {
      into.append(path, String(value));
    }
  }

  function request(method, path, parameters) {
    var body = new URLSearchParams();
    encode(parameters, "", body);
    var target = method === "GET" ? path + "?" + body : path;
    var headers = { Authorization: "Bearer " + KEY };
    return fetch(target, { method: method, headers: headers, body: method === "GET" ? undefined : body })
      .then(function (reply) { return reply.json(); })
      .catch(function () {
        return { error: { type: "api_connection_error", message: "The payment service could not be reached." } };
      });
  }

  function digits(name) { return form.elements[name].value.replace(/\D/g, ""); }

  function card() {
    return { number: digits("number"), exp_month: digits("expiry").slice(0, 2), exp_year: digits("expiry").slice(2),
             cvc: digits("cvc") };
  }

  function billing(more) {
    var details = Object.assign({}, more || {});
    if (form.elements.name.value.trim()) { details.name = details.name || form.elements.name.value.trim(); }
    return details;
  }

  function luhn(number) {
    var sum = 0;
    number.split("").reverse().forEach(function (digit, place) {
      var doubled = Number(digit) * (1 + place % 2);
      sum += doubled > 9 ? doubled - 9 : doubled;
    });
    return number.length >= 12 && sum % 10 === 0;
  }

  function wrong() {
    if (!form) { return null; }
    var typed = card();
    if (!luhn(typed.number)) { return ["number", "incorrect_number"]; }
    if (!/^(0[1-9]|1[0-2])$/.test(typed.exp_month) || !/^\d{2}(\d{2})?$/.test(typed.exp_year)) {
      return ["expiry", "invalid_expiry_year"];
    }
    return /^\d{3,4}$/.test(typed.cvc) ? null : ["cvc", "invalid_cvc"];
  }

  function validate() {
    var found = wrong();
    Array.prototype.forEach.call(form ? form.querySelectorAll("input") : [], function (input) {
      input.setAttribute("aria-invalid", String(!!found && input.name === found[0]));
    });
    if (!found) {
      complaint.textContent = "";
      return {};
    }
    complaint.textContent = form.elements[found[0]].dataset.complaint;
    resize();
    return { error: { type: "validation_error", code: found[1], message: complaint.textContent } };
  }

  function named(kind, answer) {
    if (answer.error) {
      if (complaint) { complaint.textContent = answer.error.message; resize(); }
      return { error: answer.error };
    }
    return kind === "setup_intent" ? { setupIntent: answer } : { paymentIntent: answer };
  }

  var methods = {
    validate: function () { return Promise.resolve(validate()); },
    focus: function () { form.elements.number.focus(); return Promise.resolve({}); },
    clear: function () { form.reset(); return Promise.resolve({}); },
    retrieve: function (given) {
      var path = "/v1/" + given.kind + "s/" + encodeURIComponent(given.clientSecret.split("_secret_")[0]);
      return request("GET", path, { client_secret: given.clientSecret }).then(named.bind(null, given.kind));
    },
    createPaymentMethod: function (given) {
      var invalid = validate();
      if (invalid.error) { return Promise.resolve(invalid); }
      var body = { type: "card", card: card(), billing_details: billing(given.billing_details) };
      return request("POST", "/v1/payment_methods", body).then(function (answer) {
        return answer.error ? { error: answer.error } : { paymentMethod: answer };
      });
    },
    confirm: function (given) {
      var asked = given.confirmParams;
      var body = { client_secret: given.clientSecret, use_stripe_sdk: true, return_url: asked.return_url };
      if (asked.payment_method) {
        body.payment_method = asked.payment_method;
      } else if (given.typed) {
        var invalid = validate();
        if (invalid.error) { return Promise.resolve(invalid); }
        var details = (asked.payment_method_data || {}).billing_details;
        body.payment_method_data = { type: "card", card: card(), billing_details: billing(details) };
      }
      ["receipt_email", "setup_future_usage", "shipping"].forEach(function (name) { body[name] = asked[name]; });
      var path = "/v1/" + given.kind + "s/" + encodeURIComponent(given.clientSecret.split("_secret_")[0]) + "/confirm";
      return request("POST", path, body).then(named.bind(null, given.kind));
    },
  };

  window.addEventListener("message", function (message) {
    var data = message.data || {};
    if (message.source !== window.parent || message.origin !== PARENT || !methods[data.method]) { return; }
    methods[data.method](data.parameters || {}).then(function (result) {
      tell({ answer: data.call, result: result });
    });
  });

  function resize() { tell({ event: "resize", height: document.documentElement.offsetHeight }); }

  function space(input, groups, separator) {
    var rest = input.value.replace(/\D/g, ""), parts = [];
    groups.forEach(function (size) { if (rest) { parts.push(rest.slice(0, size)); rest = rest.slice(size); } });
    input.value = parts.join(separator);
  }

  function appear() {
    var given = {};
    try { given = JSON.parse(query.get("appearance") || "{}"); } catch (error) { given = {}; }
    var variables = given.variables || {};
    var root = document.documentElement;
    if (given.theme === "night") { root.style.setProperty("color-scheme", "dark"); }
    ["colorPrimary", "colorBackground", "colorText", "colorDanger", "fontFamily", "borderRadius", "fontSizeBase"]
      .forEach(function (name) { if (variables[name]) { root.style.setProperty("--" + name, variables[name]); } });
  }

  function changed() {
    var found = wrong();
    tell({ event: "change", detail: { elementType: "payment", complete: !found, empty: !digits("number"),
                                      value: { type: "card" } } });
  }

  if (form) {
    appear();
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("input", function (event) {
      if (event.target.name === "number") { space(event.target, [4, 4, 4, 4, 3], " "); }
      if (event.target.name === "expiry") { space(event.target, [2, 4], " / "); }
      complaint.textContent = "";
      event.target.setAttribute("aria-invalid", "false");
      changed();
    });
    form.addEventListener("focusin", function () { tell({ event: "focus" }); });
    form.addEventListener("focusout", function () { tell({ event: "blur" }); });
    new ResizeObserver(resize).observe(document.documentElement);
  }
  tell({ event: "ready" });
})();
