// The calls of Stripe.js that pages of one's own use, against the offline Stripe that serves this file.
// Card data is typed into a frame of the sandbox's own origin and never reaches the page around it.
// No inline handlers, no style attributes, no eval: a strict Content-Security-Policy needs only
// script-src and frame-src for the sandbox's origin.
(function () {
  "use strict";

  var ORIGIN = new URL(document.currentScript.src).origin;
  var CALL_TIMEOUT = 60000;

  function failure(message, code) {
    return { error: { type: "invalid_request_error", code: code, message: message } };
  }

  function build(tag, properties, styles) {
    var node = document.createElement(tag);
    Object.assign(node, properties || {});
    Object.keys(styles || {}).forEach(function (name) { node.style[name] = styles[name]; });
    return node;
  }

  // A frame of the sandbox and the calls into it.
  function Frame(parameters, title) {
    var query = new URLSearchParams(parameters);
    query.set("parent", window.location.origin);
    this.waiting = {};
    this.count = 0;
    this.listeners = {};
    this.node = build("iframe", { src: ORIGIN + "/elements/frame?" + query, title: title, allow: "payment *" });
    this.ready = new Promise(function (resolve) { this.becameReady = resolve; }.bind(this));
    this.receive = this.receive.bind(this);
    window.addEventListener("message", this.receive);
  }

  Frame.prototype.receive = function (message) {
    if (message.origin !== ORIGIN || message.source !== this.node.contentWindow) { return; }
    var data = message.data || {};
    if (data.answer) {
      var resolve = this.waiting[data.answer];
      delete this.waiting[data.answer];
      if (resolve) { resolve(data.result); }
    } else if (data.event === "resize") {
      this.node.style.height = data.height + "px";
    } else if (data.event) {
      if (data.event === "ready") { this.becameReady(); }
      (this.listeners[data.event] || []).forEach(function (listener) { listener(data.detail || {}); });
    }
  };

  Frame.prototype.call = function (method, parameters) {
    var frame = this;
    return this.ready.then(function () {
      return new Promise(function (resolve) {
        frame.count += 1;
        var number = String(frame.count);
        frame.waiting[number] = resolve;
        window.setTimeout(function () {
          if (frame.waiting[number]) {
            delete frame.waiting[number];
            resolve(failure("The payment service did not answer.", "api_connection_error"));
          }
        }, CALL_TIMEOUT);
        frame.node.contentWindow.postMessage({ call: number, method: method, parameters: parameters || {} }, ORIGIN);
      });
    });
  };

  Frame.prototype.remove = function () {
    window.removeEventListener("message", this.receive);
    this.node.remove();
  };

  // One element, mounted into the page.
  function Element(stripe, kind, options) {
    this.kind = kind;
    this.frame = new Frame({
      key: stripe.key,
      locale: options.locale || "auto",
      appearance: JSON.stringify(options.appearance || {}),
    }, options.title || "Secure card input");
    Object.assign(this.frame.node.style, { width: "100%", border: "0", display: "block", height: "15rem" });
  }

  Element.prototype.mount = function (place) {
    var node = typeof place === "string" ? document.querySelector(place) : place;
    if (!node) { throw new Error("The element to mount into does not exist: " + place); }
    node.replaceChildren(this.frame.node);
    return this;
  };

  Element.prototype.on = function (name, listener) {
    (this.frame.listeners[name] = this.frame.listeners[name] || []).push(listener);
    return this;
  };

  Element.prototype.off = function (name) { delete this.frame.listeners[name]; return this; };
  Element.prototype.update = function () { return this; };
  Element.prototype.focus = function () { this.frame.call("focus"); };
  Element.prototype.clear = function () { this.frame.call("clear"); };
  Element.prototype.unmount = function () { this.frame.node.remove(); };
  Element.prototype.destroy = function () { this.frame.remove(); };

  function Elements(stripe, options) {
    this.stripe = stripe;
    this.options = options || {};
    this.created = {};
  }

  Elements.prototype.create = function (kind, options) {
    if (kind !== "payment" && kind !== "card") { throw new Error("This sandbox has the elements payment and card."); }
    var given = Object.assign({ locale: this.options.locale, appearance: this.options.appearance }, options || {});
    this.created[kind] = new Element(this.stripe, kind, given);
    return this.created[kind];
  };

  Elements.prototype.getElement = function (kind) { return this.created[kind] || null; };
  Elements.prototype.update = function (options) { Object.assign(this.options, options || {}); };
  Elements.prototype.fetchUpdates = function () { return Promise.resolve({}); };
  Elements.prototype.element = function () { return this.created.payment || this.created.card; };

  Elements.prototype.submit = function () {
    var element = this.element();
    if (!element) { return Promise.resolve(failure("No element was created.", "element_missing")); }
    return element.frame.call("validate");
  };

  function Stripe(key, options) {
    if (!(this instanceof Stripe)) { return new Stripe(key, options); }
    if (!/^pk_/.test(key || "")) { throw new Error("Stripe() needs a publishable key (pk_…)."); }
    this.key = key;
    this.controller = null;
  }

  Stripe.prototype.elements = function (options) { return new Elements(this, options); };

  // Calls without an element go through a hidden frame.
  Stripe.prototype.hidden = function () {
    if (!this.controller) {
      this.controller = new Frame({ key: this.key, controller: "1" }, "Payment service");
      this.controller.node.hidden = true;
      this.controller.node.setAttribute("aria-hidden", "true");
      document.body.appendChild(this.controller.node);
    }
    return this.controller;
  };

  Stripe.prototype.retrievePaymentIntent = function (secret) {
    return this.hidden().call("retrieve", { kind: "payment_intent", clientSecret: secret });
  };

  Stripe.prototype.retrieveSetupIntent = function (secret) {
    return this.hidden().call("retrieve", { kind: "setup_intent", clientSecret: secret });
  };

  Stripe.prototype.createPaymentMethod = function (options) {
    var element = options.elements ? options.elements.element() : options.card || options.element;
    if (!element || !element.frame) {
      return Promise.resolve(failure("Pass elements or a card element.", "element_missing"));
    }
    var details = (options.params || options).billing_details;
    return element.frame.call("createPaymentMethod", { billing_details: details });
  };

  Stripe.prototype.confirmPayment = function (options) { return this.confirm("payment_intent", options); };
  Stripe.prototype.confirmSetup = function (options) { return this.confirm("setup_intent", options); };

  Stripe.prototype.confirmCardPayment = function (secret, data) {
    var method = (data || {}).payment_method;
    var card = method && method.card;
    return this.confirm("payment_intent", {
      clientSecret: secret,
      redirect: "if_required",
      element: card,
      confirmParams: {
        payment_method: typeof method === "string" ? method : undefined,
        payment_method_data: card ? { billing_details: method.billing_details } : undefined,
      },
    });
  };

  Stripe.prototype.confirm = function (kind, options) {
    var stripe = this;
    var element = options.element || (options.elements && options.elements.element());
    var secret = options.clientSecret || (options.elements && options.elements.options.clientSecret);
    var given = options.confirmParams || {};
    var frame = element ? element.frame : this.hidden();
    if (!secret) { return Promise.resolve(failure("No client secret was given.", "parameter_missing")); }
    if (options.redirect !== "if_required" && !given.return_url) {
      return Promise.resolve(failure("confirmParams.return_url is required.", "parameter_missing"));
    }
    return frame.call("confirm", { kind: kind, clientSecret: secret, confirmParams: given, typed: !!element })
      .then(function (result) { return result.error ? result : stripe.continued(kind, secret, result); })
      .then(function (result) {
        if (!result.error && options.redirect !== "if_required") { leave(kind, given.return_url, result); }
        return result;
      });
  };

  Stripe.prototype.handleNextAction = function (options) {
    var stripe = this;
    var kind = /^seti_/.test(options.clientSecret) ? "setup_intent" : "payment_intent";
    return this.hidden().call("retrieve", { kind: kind, clientSecret: options.clientSecret })
      .then(function (result) {
        return result.error ? result : stripe.continued(kind, options.clientSecret, result);
      });
  };

  Stripe.prototype.handleCardAction = function (secret) { return this.handleNextAction({ clientSecret: secret }); };

  // Goes through 3-D Secure when the intent asks for it, then reads the intent again.
  Stripe.prototype.continued = function (kind, secret, result) {
    var stripe = this;
    var intent = result.paymentIntent || result.setupIntent;
    if (intent.status !== "requires_action") { return Promise.resolve(result); }
    var action = intent.next_action;
    var url = action.type === "redirect_to_url" ? action.redirect_to_url.url : action.use_stripe_sdk.stripe_js;
    return challenge(url).then(function () {
      return stripe.hidden().call("retrieve", { kind: kind, clientSecret: secret });
    }).then(function (after) {
      var again = after.paymentIntent || after.setupIntent;
      var error = again && (again.last_payment_error || again.last_setup_error);
      return error && again.status === "requires_payment_method" ? { error: error } : after;
    });
  };

  function challenge(url) {
    return new Promise(function (resolve) {
      var before = document.activeElement;
      var dialog = build("dialog", {}, {
        padding: "0", border: "0", width: "min(30rem, 96vw)", height: "min(34rem, 92vh)", borderRadius: "0.5rem",
      });
      var frame = build("iframe", { src: url + "?embedded=1", title: "3-D Secure" }, {
        width: "100%", height: "100%", border: "0",
      });
      dialog.appendChild(frame);
      dialog.addEventListener("cancel", function (event) { event.preventDefault(); });
      document.body.appendChild(dialog);
      dialog.showModal();
      window.addEventListener("message", function done(message) {
        if (message.origin !== ORIGIN || message.source !== frame.contentWindow) { return; }
        if (!message.data || message.data.event !== "authenticated") { return; }
        window.removeEventListener("message", done);
        dialog.close();
        dialog.remove();
        if (before && before.focus) { before.focus(); }
        resolve();
      });
    });
  }

  function leave(kind, address, result) {
    var intent = result.paymentIntent || result.setupIntent;
    var url = new URL(address, window.location.href);
    url.searchParams.set(kind, intent.id);
    url.searchParams.set(kind + "_client_secret", intent.client_secret);
    url.searchParams.set("redirect_status", intent.status === "succeeded" ? "succeeded" : "pending");
    window.location.assign(url.toString());
  }

  Stripe.version = 1;
  window.Stripe = Stripe;
})();
