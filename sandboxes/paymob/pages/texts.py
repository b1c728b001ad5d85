"""The texts of the pages, in English and Arabic."""

from __future__ import annotations

from aiohttp import web

ENGLISH, ARABIC = "en", "ar"
_ARABIC = {
    "Sandbox: no real money, no real banks. Never type real data.":
        "بيئة تجريبية: لا أموال حقيقية ولا بنوك حقيقية. لا تُدخل بيانات حقيقية أبدًا.",
    "Payment": "الدفع",
    "To pay:": "المبلغ المطلوب:",
    "EGP": "ج.م",
    "Choose how to pay": "اختر طريقة الدفع",
    "Card": "بطاقة بنكية",
    "Card (the money is reserved first)": "بطاقة بنكية (يُحجز المبلغ أولًا)",
    "Saved card": "بطاقة محفوظة",
    "Mobile wallet": "محفظة إلكترونية",
    "Cash at a kiosk": "نقدًا في أحد المنافذ",
    "Card number": "رقم البطاقة",
    "Name on card": "الاسم على البطاقة",
    "Expiry (MM / YY)": "تاريخ الانتهاء (شهر / سنة)",
    "Security code": "رمز الأمان",
    "Save this card": "احفظ هذه البطاقة",
    "Pay": "ادفع",
    "Mobile number of the wallet": "رقم الهاتف المرتبط بالمحفظة",
    "Get a payment code": "احصل على كود الدفع",
    "Another way to pay": "طريقة دفع أخرى",
    "Your bank asks for the code that it sent you.": "يطلب منك البنك إدخال الرمز الذي أرسله إليك.",
    "Your wallet asks for your MPIN and for the code that it sent you.":
        "تطلب منك المحفظة إدخال الرقم السري والرمز الذي أرسلته إليك.",
    "MPIN": "الرقم السري للمحفظة",
    "One-time code": "رمز التحقق",
    "Confirm": "تأكيد",
    "Cancel": "إلغاء",
    "The test code is 123456.": "رمز الاختبار هو 123456.",
    "Pay at the kiosk": "الدفع في المنفذ",
    "Pay this code in cash at a kiosk:": "ادفع هذا الكود نقدًا في أحد المنافذ:",
    "Pay it now (sandbox)": "ادفعه الآن (بيئة تجريبية)",
    "Return to the shop": "العودة إلى المتجر",
    "The payment was made.": "تم الدفع بنجاح.",
    "The payment was declined.": "رُفضت عملية الدفع.",
    "The payment is pending.": "عملية الدفع قيد الانتظار.",
    "This page has expired.": "انتهت صلاحية هذه الصفحة.",
    "This order is paid already.": "تم دفع هذا الطلب من قبل.",
    "This is no test card. Use 5123 4567 8901 2346.": "هذه ليست بطاقة اختبار. استخدم 5123 4567 8901 2346.",
    "The expiry date has passed or cannot be read.": "تاريخ الانتهاء غير صالح أو مضى.",
    "The security code has three digits.": "رمز الأمان مكون من ثلاثة أرقام.",
    "This page does not offer this card.": "هذه الصفحة لا تعرض هذه البطاقة.",
    "Enter a mobile number of eleven digits.": "أدخل رقم هاتف مكونًا من أحد عشر رقمًا.",
    "Do not honour": "رفض البنك العملية",
    "Insufficient funds": "الرصيد غير كافٍ",
    "Expired card": "البطاقة منتهية الصلاحية",
    "System error": "حدث خطأ في النظام",
}  # fmt: skip


def language_of(request: web.Request) -> str:
    """Return the language of a page: `lang` in its address, else what the browser prefers, else English."""
    wanted = str(request.query.get("lang") or request.headers.get("Accept-Language") or "")
    return ARABIC if wanted.strip().lower().startswith(ARABIC) else ENGLISH


def said(language: str, text: str) -> str:
    """Return a text in a language."""
    return _ARABIC.get(text, text) if language == ARABIC else text
