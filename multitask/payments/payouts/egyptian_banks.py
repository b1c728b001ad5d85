"""The banks of Egypt by the codes that Paymob's payouts take.

Known from secondary sources: several public clients of that API agree on the codes; Paymob's own list is part of its
contract. Names are the ones the banks use. The central bank and a state purchasing body, which have codes too, keep no
accounts of people and are left out.
"""

from typing import Final, NamedTuple


class Bank(NamedTuple):
    """A bank with its names."""

    code: str
    english: str
    arabic: str


BANKS: Final = (
    Bank("AAIB", "Arab African International Bank", "البنك العربي الأفريقي الدولي"),
    Bank("ABC", "Bank ABC Egypt", "بنك المؤسسة العربية المصرفية (ABC)"),
    Bank("ABK", "Al Ahli Bank of Kuwait Egypt", "البنك الأهلي الكويتي - مصر"),
    Bank("ABRK", "Al Baraka Bank Egypt", "بنك البركة مصر"),
    Bank("ADCB", "Abu Dhabi Commercial Bank Egypt", "بنك أبوظبي التجاري - مصر"),
    Bank("ADIB", "Abu Dhabi Islamic Bank Egypt", "مصرف أبوظبي الإسلامي - مصر"),
    Bank("AIB", "aiBANK (Arab Investment Bank)", "بنك الاستثمار العربي (aiBANK)"),
    Bank("ARAB", "Arab Bank", "البنك العربي"),
    Bank("ARIB", "Arab International Bank", "المصرف العربي الدولي"),
    Bank("AUB", "Kuwait Finance House Egypt (Ahli United Bank)", "بيت التمويل الكويتي - مصر (البنك الأهلي المتحد)"),
    Bank("AUDI", "Bank Audi Egypt", "بنك عوده مصر"),
    Bank("BBE", "Attijariwafa Bank Egypt", "التجاري وفا بنك إيجيبت"),
    Bank("BDC", "Banque du Caire", "بنك القاهرة"),
    Bank("BLOM", "Blom Bank Egypt", "بنك بلوم مصر"),
    Bank("BOA", "ALEXBANK (Bank of Alexandria)", "بنك الإسكندرية"),
    Bank("CAE", "Crédit Agricole Egypt", "كريدي أجريكول مصر"),
    Bank("CIB", "Commercial International Bank (CIB)", "البنك التجاري الدولي (CIB)"),
    Bank("CITI", "Citibank Egypt", "سيتي بنك مصر"),
    Bank("EALB", "Egyptian Arab Land Bank", "البنك العقاري المصري العربي"),
    Bank("EDBE", "Export Development Bank of Egypt (EBank)", "البنك المصري لتنمية الصادرات"),
    Bank("EGB", "EG Bank (Egyptian Gulf Bank)", "البنك المصري الخليجي (EG Bank)"),
    Bank("ENBD", "Emirates NBD Egypt", "بنك الإمارات دبي الوطني - مصر"),
    Bank("FAB", "First Abu Dhabi Bank Misr", "بنك أبوظبي الأول مصر"),
    Bank("FAIB", "Faisal Islamic Bank of Egypt", "بنك فيصل الإسلامي المصري"),
    Bank("HDB", "Housing and Development Bank", "بنك التعمير والإسكان"),
    Bank("HSBC", "HSBC Egypt", "بنك إتش إس بي سي مصر (HSBC)"),
    Bank("IDB", "Industrial Development Bank", "بنك التنمية الصناعية"),
    Bank("MASH", "Mashreq Bank Egypt", "بنك المشرق - مصر"),
    Bank("MIDB", "MIDBANK", "بنك ميد (MIDBANK)"),
    Bank("MISR", "Banque Misr", "بنك مصر"),
    Bank("NBE", "National Bank of Egypt", "البنك الأهلي المصري"),
    Bank("NBG", "National Bank of Greece", "البنك الأهلي اليوناني"),
    Bank("NBK", "National Bank of Kuwait Egypt", "بنك الكويت الوطني - مصر"),
    Bank("NSB", "Nasser Social Bank", "بنك ناصر الاجتماعي"),
    Bank("PDAC", "Agricultural Bank of Egypt", "البنك الزراعي المصري"),
    Bank("POST", "Egypt Post", "البريد المصري"),
    Bank("QNB", "QNB Egypt", "بنك قطر الوطني (QNB) مصر"),
    Bank("SAIB", "saib Bank", "بنك saib (الشركة المصرفية العربية الدولية)"),
    Bank("SCB", "Suez Canal Bank", "بنك قناة السويس"),
    Bank("UB", "The United Bank", "المصرف المتحد"),
)
BY_CODE: Final = {bank.code: bank for bank in BANKS}


def name(code: str, language: str) -> str:
    """Return a bank's name in Arabic or in English, the code itself for a bank that is no longer listed."""
    bank = BY_CODE.get(code)
    if bank is None:
        return code
    return bank.arabic if language.startswith("ar") else bank.english
