"""What is found and what is not: a table made by hand, harder than what people mostly write."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("detect_secrets")
pytest.importorskip("phonenumbers")
pytest.importorskip("stdnum")

from zetaroute.features.pii import detector

# Put together at run time, so that no scanner of repositories takes them for real ones.
AWS = "AKIA" + "IOSFODNN7EXAMPLQ"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
SLACK = "xoxb-" + "123456789012-1234567890123-abcdefABCDEF1234567890ab"
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA\n"

SECRETS = [
    f"why does {AWS} not work",
    f"git clone with {GITHUB} fails",
    f"post to the channel with {SLACK}",
    f"charge a card: curl -u {STRIPE}:",
    f"decode {JWT}",
    KEY,
    "-----BEGIN OPENSSH PRIVATE " + "KEY-----",
    "connect to postgres://admin:Tr0ub4dor@db.internal:5432/app",
    "https://user:hunter2secret@host.net/path does not load",
    "my key is " + "sk-" + "proj-abcdefghijklmnopqrstuvwx1234",
    "ANTHROPIC: " + "sk-ant-" + "api03-abcdefghijklmnopqrstuv",
    "GROQ " + "gsk_" + "abcdefghijklmnopqrstuvwxyz0123",
    "huggingface " + "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123",
    "maps " + "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "gitlab " + "glpat-" + "AbCdEf1234567890ghij",
    "my password is hunter2x, is it strong?",
    "password: Sommer2024!",
    "DB_PASSWORD=x9$kLm2Qp",
    'config = {"api_key": "9f8a7b6c5d4e3f2a"}',
    "the wifi passwort lautet Sonne4711",
    "client_secret => Zq8~abcDEF.123",
    "passphrase is: correct7horse",
    "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
    "twilio " + "SK" + "0123456789abcdef0123456789abcdef",
    "the root pw is: Kx9#mm2Lq",
    "reset token secret_key=Ab12Cd34Ef56",
    "wachtwoord: Geheim123",
    "redis://:p4ssw0rd@cache:6379/0",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "npm: //npm.firma.de/:_authToken=" + "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789",
]
PERSONAL = [
    "write to anna.kowalska@firma.pl that I am late",
    "From: j.o'neil+work@mail.co.uk",
    "müller@münchen.de fragt nach",
    "call me on +49 30 901820 tomorrow",
    "his number is +1 650-253-0000",
    "ring (650) 253-0000 after six",
    "phone 650-253-0000",
    "tel. +33 1 42 68 53 00",
    "+442083661177 sent an SMS",
    "pay with 4111 1111 1111 1111",
    "card 5555555555554444 exp 12/27",
    "amex 3782-822463-10005",
    "IBAN DE89 3704 0044 0532 0130 00 bitte",
    "transfer to GB29NWBK60161331926819",
    "konto PL61109010140000071219812874",
    "my SSN is 536-22-1236",
    "send the invoice to Ola <ola@norsk.no>",
    "+81 3-3224-9999 is the desk",
    "number:+919876543210",
    "CH93 0076 2011 6238 5295 7",
    "reach me at (212) 736-5000",
    "FR14 2004 1010 0505 0001 3M02 606 is my account",
]
CLEAN = [
    "What is 17 * 23?",
    "What is a password manager?",
    "explain what an api key is and how to rotate it",
    "how do I reset my password in Django?",
    "password: required, at least eight characters",
    "the secret is patience",
    "the password is required to continue",
    "set the variable OPENAI_API_KEY before you start",
    "api_key = os.environ['OPENAI_API_KEY']",
    "api_key: <your key here>",
    "password=$DB_PASSWORD in the compose file",
    "token: string",
    "write a regex for email addresses such as name@example.com",
    "what does user@localhost mean",
    "@dataclass(frozen=True) and @property",
    "git@github.com:owner/repo.git fails to clone",
    "the year 2024-05-17 and the time 12:30:45",
    "sort 5, 3, 9, 12, 44, 2, 8, 1, 0, 77, 13, 4, 6",
    "the 16 digit number 1234567890123456",
    "order 4111111111111112 is late",
    "pi is 3.14159265358979323846",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "commit 9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a broke it",
    "uuid 0192f0c1-7d3e-7a3b-8c1d-2e3f4a5b6c7d",
    "ip 192.168.0.1 and 10.0.0.255",
    "isbn 978-3-16-148410-0",
    "version 1.2.3-4567-89",
    "page 123-45-6789012 of the catalogue",
    "the score was 650-253",
    "add 650 253 and 1000",
    "in 1999 2001 2003 2005 prices rose",
    "a population of 1 380 004 385",
    "coordinates 52.520008, 13.404954",
    "DE is the country code of Germany",
    "GB29 is a bus line",
    "my bank asks for an IBAN, what is that?",
    "what is a phone number in E.164?",
    "begin a private key file with which line?",
    "https://docs.python.org/3/library/re.html#re.Match.group",
    "https://host.net/@user/post",
    "price = 1,299.99 and 2,499.00",
    "1234-5678 is the ticket",
    "the sk-learn library and the hf transformers",
    "SELECT * FROM users WHERE id = 42",
    "translate: the secret garden was locked",
    "credentials are checked at the door",
    "password is 'password' a bad idea?",
    "telephone was invented in 1876",
    "2026-01-02T03:04:05.123456",
    "convert 1700000000 to a date",
    "the ratio is 4:3 and 16:9",
    "def password(self) -> str: return self._password",
    "secret santa is on 2024-12-24",
    "@app.route('/users/<int:user>')",
    "the api key is invalid, what now?",
    "http://localhost:8080/path@v2",
    "x = 555 - 12 - 3456 / 2",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_found(text):
    assert detector(["secrets"])(text)


@pytest.mark.parametrize("text", PERSONAL)
def test_personal_data_is_found(text):
    assert detector(["personal"])(text)


@pytest.mark.parametrize("text", CLEAN)
def test_other_texts_are_not_taken_for_either(text):
    assert not detector(["secrets", "personal"])(text)


def test_only_what_was_asked_for_is_looked_for():
    assert not detector(["personal"])(SECRETS[0])
    assert not detector(["secrets"])(PERSONAL[0])
    assert not detector([])(SECRETS[0])


def test_nothing_is_loaded_before_it_is_asked_for():
    code = (
        "import sys; from zetaroute.router import prepare; from zetaroute.config import Privacy; "
        "from zetaroute.domain import Query; prepare.tagged(Query(text='a@b.de'), Privacy()); "
        "print(sorted({'detect_secrets', 'stdnum', 'phonenumbers', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
