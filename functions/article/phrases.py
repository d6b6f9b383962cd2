"""What walls say, in the languages of the backlog: each line a pattern, most of them one per language.

They are matched, whatever the case, against text with straight apostrophes. None decides alone: see quality.
"""

# ruff: noqa: RUF001 - the alphabets are meant

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


PAYWALL = _any(
    r"(?:subscribe|sign up|register|log ?in|sign in|create an? (?:free )?account)[^.!?]{0,40}"
    r"\bto (?:(?:continue|keep|finish) reading|continue\b|read (?:the|this|on))",
    r"(?:subscribe|register|sign in|log ?in) (?:now )?(?:and|&) (?:continue|keep) reading",
    r"this (?:article|story|content|page) is (?:only |exclusively )?(?:available |reserved |exclusive )?"
    r"(?:for|to) (?:our |paying |registered |premium )*(?:subscribers|members)",
    r"(?:for|to) subscribers only|subscribers?[- ]only",
    r"subscription (?:is )?required|unlock this (?:article|story)",
    r"(?:to read|for) the (?:full|whole|rest of the|complete) (?:story|article),? (?:please )?"
    r"(?:subscribe|register|start)",
    r"already have a subscription|start (?:your|a) free trial",
    r"reached (?:your|the) (?:\w+ )?(?:limit|number) of (?:free )?(?:articles|stories)",
    r"weiterlesen (?:mit|als abonnent)|jetzt (?:abonnieren|registrieren) und weiterlesen",
    r"(?:artikel|inhalt) ist (?:nur |exklusiv )*für (?:unsere )?(?:\w*abonnent|registriert)|nur für abonnent",
    r"réservée? (?:aux|à nos) abonnés",
    r"(?:abonnez|inscrivez|connectez)-vous (?:pour|afin de) (?:lire|continuer)",
    r"(?:suscríb|regístr|inicia sesión)[^.]{0,40}para (?:seguir|continuar) leyendo",
    r"(?:contenido|artículo) (?:exclusivo|solo) para (?:suscriptores|socios|abonados)",
    r"(?:abbonati|accedi|registrati)[^.]{0,40}per (?:continuare|leggere)|riservat[oa] agli abbonati",
    r"(?:assine|cadastre-se|faça login)[^.]{0,40}para (?:continuar|ler)|exclusiv[oa] para assinantes",
    r"(?:word|neem)[^.]{0,30}abonn\w+[^.]{0,30}verder (?:te )?lezen|alleen voor abonnees",
    r"(?:endast|bara) för prenumeranter|kun for abonnenter|logga in för att läsa vidare",
    r"(?:tylko|wyłącznie) dla (?:prenumeratorów|subskrybentów)",
    r"(?:доступ\w+ )?только (?:по подписке|для подписчиков)|оформите подписку, чтобы",
    r"okumaya devam etmek için abone|sadece aboneler",
    r"有料会員(?:限定|になると)|会員限定記事|続きを読むには|订阅后(?:继续|阅读)|付费阅读",
)

CONSENT = _any(
    r"\bcookies?\b",
    r"\bconsent\b|\beinwilligung|\bzustimm\w+|\bconsentement|\bconsentimiento|\bconsenso|\bconsentimento",
    r"\btoestemming|\bsamtyck\w+|\bsamtykke|\bzgod\w+|\bсоглас\w+|同意",
    r"\bprivacy\b|\bdatenschutz|\bconfidentialité|\bprivacidad\b|\bprivacidade\b|\bprywatnoś\w+",
    r"\bconfidencialidad|\bконфиденциальност\w+|隐私|隱私|プライバシー",
    r"\b(?:our|unsere|nos|nuestros|nostri|nossos|onze) (?:\d+ )?(?:partner\w*|partenaires|socios|parceiros)",
    r"\bpersonali[sz]ed (?:ads|content|advertising)|\bpersonalisierte (?:werbung|anzeigen)",
)
CONSENT_MARKUP = _any(
    r"onetrust|didomi|sp_message|sourcepoint|qc-cmp2",
    r"usercentrics|cookiebot|fc-consent|truste-|iubenda|cmpbox",
    r"collectconsent|consent[-_]?(?:wall|page|form|banner|manager|management)",
    r"privacy-gate|__tcfapi|cookie-?wall",
)
CONSENT_URL = _any(
    r"^https?://(?:consent|guce|cmp)\.",
    r"^https?://[^/]+/(?:[^?#]*/)?(?:collectconsent|consent|privacy-?gate|cookie-?wall)(?:[/?#]|$)",
)

CAPTCHA_TITLE = _any(
    r"^just a moment|^attention required|^one moment,? please|^checking your browser|^please wait",
    r"^are you (?:a )?(?:robot|human)|^robot or human",
    r"\bnot a robot\b|verify (?:that )?you(?: are|'re) (?:a )?human",
    r"^human verification|^security check",
    r"^access (?:to this page has been |is )?(?:temporarily )?(?:denied|blocked)",
    r"^pardon our interruption|^ddos-guard|^captcha\b|^bot verification|^unusual traffic",
    r"^nur einen moment|^einen moment,? bitte|^sind sie ein (?:roboter|mensch)|^sicherheits(?:über)?prüfung",
    r"^un instant|^êtes-vous un (?:robot|humain)|^vérification de sécurité",
    r"^un momento|^um momento|eres un robot|^sei un robot|^você é um robô",
    r"^een (?:ogenblik|moment)|^bent u een robot|^один момент|вы не робот|^请稍候|^お待ちください",
)
CAPTCHA_TEXT = _any(
    r"enable javascript and cookies to continue",
    r"checking (?:if the site connection is secure|your browser before)",
    r"(?:verify|confirm|prove)[^.]{0,20} you(?: are|'re) (?:a )?(?:human|not a (?:ro)?bot)",
    r"complete the (?:captcha|security check)|press (?:&|and) hold|unusual traffic from your",
    r"bestätigen sie, dass sie (?:kein roboter|ein mensch)|vérifiez que vous êtes (?:un )?humain",
    r"verifica(?:r)? que eres humano|confirme que (?:você )?é humano",
    r"подтвердите, что вы (?:не робот|человек)",
)
# What only challenge pages hold; a comment form may hold a recaptcha too.
CAPTCHA_MARKUP = _any(
    r"/cdn-cgi/challenge-platform/h/|cf-chl-|cf_chl_opt|px-captcha|captcha-delivery\.com|_Incapsula_Resource",
    r"awswaf\.com/[^\"']{0,200}challenge|ddos-guard/check|/_sec/cp_challenge",
)

GONE_TITLE = _any(
    r"(?:page|article|story|content) (?:(?:was |is )?not found|is no longer|(?:cannot|could not|can't) be found)",
    r"^(?:error )?404\b|\b404 (?:error|not found|page)|error 404|^not found\b|^page (?:missing|unavailable)",
    r"(?:seite|artikel) (?:wurde )?(?:leider )?nicht gefunden|page (?:introuvable|non trouvée)",
    r"(?:página|artículo) no (?:encontrad[oa]|existe|disponible)|página não encontrada|pagina non trovata",
    r"pagina niet gevonden|sidan (?:hittades|finns) inte",
    r"siden (?:ble|blev) ikke funnet|nie znaleziono strony",
    r"страница не найдена|sayfa bulunamadı|ページが見つかりません|页面不存在|找不到(?:页面|網頁)",
)
