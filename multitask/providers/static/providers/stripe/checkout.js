// The provider's Payment Element: the same calls with Stripe and with the sandbox's script.
"use strict";

const form = document.getElementById("checkout");
const problem = document.getElementById("checkout-error");
const button = document.getElementById("pay");

function tell(message) {
  problem.textContent = message;
  problem.hidden = false;
  button.removeAttribute("aria-disabled");
  delete form.dataset.busy;
}

function isDark() {
  const theme = form.dataset.theme;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function begin() {
  if (typeof window.Stripe !== "function") return tell(form.dataset.missing);
  const stripe = window.Stripe(form.dataset.key);
  const elements = stripe.elements({
    clientSecret: form.dataset.secret,
    locale: form.dataset.language,
    appearance: { theme: isDark() ? "night" : "stripe" },
  });
  document.getElementById("payment-element").replaceChildren();
  elements.create("payment").mount("#payment-element");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    problem.hidden = true;
    button.setAttribute("aria-disabled", "true");
    pay(stripe, elements).catch(() => tell(form.dataset.failed));
  });
}

async function pay(stripe, elements) {
  const checked = await elements.submit();
  if (checked && checked.error) return tell(checked.error.message);
  const answer = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: form.dataset.return },
    redirect: "if_required",
  });
  if (!answer.error) return go();
  // Another tab may have paid meanwhile: what the provider says of the payment counts.
  const seen = await stripe.retrievePaymentIntent(form.dataset.secret);
  const status = seen.paymentIntent && seen.paymentIntent.status;
  if (status === "succeeded" || status === "processing") return go();
  tell(answer.error.message || form.dataset.failed);
}

function go() {
  window.location.assign(`${form.dataset.return}?confirmed=1`);
}

begin();
