"""Names, streets, towns and the forms of numbers of some countries, from which people are made up.

Names are common ones, combined at random; streets and towns are mostly invented. In patterns ``#`` stands for a digit
and ``@`` for a capital letter. Where a country sets numbers aside for fiction, phones are of those; elsewhere their
prefix is not in use. No entry describes a person.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """What a person of one country may be called, and how numbers and dates look there."""

    name: str
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]
    streets: tuple[str, ...]
    towns: tuple[str, ...]
    postcode: str
    phone: str
    identity_title: str
    """What an identity card is called, in the country's language and in English."""

    identity_number: str
    """Pattern of the number on it."""

    tax_label: str
    tax_number: str
    currency: str
    account: str
    """Pattern of a bank account's number; its check digits are never valid."""

    dates: str
    """Format of a date, for strftime."""

    number_first: bool = False
    """Whether the house's number stands before the street."""


def _split_words(words: str) -> tuple[str, ...]:
    """Split words at commas."""
    return tuple(word.strip() for word in words.split(","))


COUNTRIES: dict[str, Country] = {
    "GB": Country(
        name="United Kingdom",
        women=_split_words("Margaret, Priya, Hannah, Siobhan, Chloe, Gwen, Aisha, Ruth, Imogen, Tamsin, Nadia, Joyce"),
        men=_split_words("Alastair, Imran, Callum, Gareth, Dominic, Kwame, Neil, Rory, Oliver, Stanley, Hugh, Dev"),
        families=_split_words(
            "Pemberley, Okafor, Thistlewood, Rahman, Garside, Lomax, Trevanion, Bains, Calderwood, Eddowes, Firth, "
            "Whitlam, Achebe, Hallam, Penrose, Sugden"
        ),
        streets=_split_words("Larch Close, Mill Lane, Quarry Road, Station Approach, Dove Street, Harbour View"),
        towns=_split_words("Eastbrook, Marlow Cross, Haddenfield, Northwick, Saltmere, Kirkby Dale"),
        postcode="@@# #@@",
        phone="07700 900###",
        identity_title="RESIDENT IDENTITY CARD",
        identity_number="QQ ## ## ## @",
        tax_label="National Insurance no.",
        tax_number="QQ ## ## ## @",
        currency="£",
        account="GB00 TEST #### #### #### ##",
        dates="%d/%m/%Y",
        number_first=True,
    ),
    "US": Country(
        name="United States",
        women=_split_words(
            "Denise, Carmen, Ashley, Latoya, Megan, Ruth Ann, Sofia, Kimberly, Grace, Linh, Paige, Wanda"
        ),
        men=_split_words("Tyrone, Brandon, Miguel, Curtis, Dale, Kevin, Jamal, Scott, Ethan, Luis, Clyde, Wei"),
        families=_split_words(
            "Hollister, Ramirez, Tuttle, Broussard, Nguyen, Whitaker, Delacroix, Boggs, Ortega, Vance, Kowalchuk, "
            "Freeman, Pruitt, Sandoval, Ames, Yoder"
        ),
        streets=_split_words("Maple Ave, Ridgeway Dr, Cedar Ct, Old Mill Rd, Sunset Blvd W, Prospect St"),
        towns=_split_words("Fairhollow OH, Brookhaven Falls TX, Cedar Point IA, Millbury NJ, Redstone AZ, Lakeview GA"),
        postcode="00###",
        phone="(###) 555-01##",
        identity_title="STATE IDENTIFICATION CARD",
        identity_number="@### #### ####",
        tax_label="SSN",
        tax_number="000-##-####",
        currency="$",
        account="000000### ##########",
        dates="%m/%d/%Y",
        number_first=True,
    ),
    "AU": Country(
        name="Australia",
        women=_split_words("Kylie, Matilda, Bronwyn, Thi, Zara, Leanne, Amelia, Ngaire, Jacinta, Harriet, Mei, Coral"),
        men=_split_words("Lachlan, Darcy, Angus, Minh, Bruce, Jarrod, Cooper, Tane, Shane, Arjun, Kurt, Wes"),
        families=_split_words(
            "Barraclough, Tran, McAllister, Doyle, Pappas, Whitfield, Nolan, Kerr, Vukovic, Sheridan, Ho, Maddox, "
            "Lindqvist, Gallo, Burnside, Rowe"
        ),
        streets=_split_words("Banksia St, Wattle Cres, Jetty Rd, Kookaburra Way, Railway Pde, Bluff Tce"),
        towns=_split_words(
            "Coral Bay NSW, Mount Wendell VIC, Ashgrove Creek QLD, Port Ellis SA, Dunmore WA, Tarra TAS"
        ),
        postcode="0###",
        phone="0491 570 ###",
        identity_title="PROOF OF AGE CARD",
        identity_number="## ### ###",
        tax_label="Tax file number",
        tax_number="000 ### ###",
        currency="$",
        account="000-### ## ### ###",
        dates="%d %b %Y",
        number_first=True,
    ),
    "IN": Country(
        name="India",
        women=_split_words(
            "Lakshmi, Anjali, Meera, Farida, Divya, Sunita, Harpreet, Kavya, Rekha, Nisha, Ishani, Mary"
        ),
        men=_split_words(
            "Rajesh, Vikram, Suresh, Imtiaz, Arun, Gurdeep, Karthik, Manoj, Nikhil, Joseph, Anand, Farhan"
        ),
        families=_split_words(
            "Chatterjee, Iyer, Qureshi, Gill, Deshpande, Menon, Bhatt, Yadav, D'Souza, Rathore, Saikia, Pillai, "
            "Kulkarni, Ansari, Bora, Naidu"
        ),
        streets=_split_words("Gandhi Nagar, Temple Road, Lake View Colony, MG Extension, Station Bazaar, Palm Enclave"),
        towns=_split_words("Navipur, Chandragiri, Lalbagh, Sundarpet, Rampura, Kadalur"),
        postcode="0#####",
        phone="+91 00000 #####",
        identity_title="RESIDENT IDENTITY CARD",
        identity_number="0000 #### ####",
        tax_label="Tax account no.",
        tax_number="@@@@@####@",
        currency="Rs ",
        account="TEST0###### ###########",
        dates="%d-%m-%Y",
        number_first=True,
    ),
    "NG": Country(
        name="Nigeria",
        women=_split_words(
            "Ngozi, Amina, Folake, Chidinma, Blessing, Halima, Yetunde, Ifeoma, Zainab, Uju, Temi, Hauwa"
        ),
        men=_split_words("Emeka, Tunde, Musa, Chinedu, Ibrahim, Segun, Obinna, Yusuf, Femi, Uche, Bayo, Sani"),
        families=_split_words(
            "Adeyemi, Okonkwo, Bello, Nwosu, Abubakar, Ogunleye, Eze, Danjuma, Balogun, Umeh, Lawal, Ikenna, "
            "Oyelaran, Garba, Ofor, Tanko"
        ),
        streets=_split_words(
            "Market Road, Unity Close, Palm Grove Street, Old Barracks Road, Mission Street, Creek Lane"
        ),
        towns=_split_words("Ikoro, Abanta, New Kado, Oluwa, Port Ekene, Zariba"),
        postcode="0#####",
        phone="0000 ### ####",
        identity_title="NATIONAL IDENTITY CARD",
        identity_number="0### #### ###",
        tax_label="TIN",
        tax_number="########-0001",
        currency="N",
        account="00########",
        dates="%d %b %Y",
        number_first=True,
    ),
    "DE": Country(
        name="Deutschland",
        women=_split_words("Heike, Annika, Ursula, Merve, Saskia, Katrin, Lea, Brigitte, Frieda, Jana, Aylin, Wiebke"),
        men=_split_words("Jürgen, Torben, Emre, Lukas, Holger, Matthias, Finn, Dieter, Sven, Cem, Ruben, Armin"),
        families=_split_words(
            "Brinkmann, Yildiz, Hollerbach, Kessler, Petersen, Schönfeld, Wagenknecht, Dreyer, Lohmann, Aksoy, "
            "Feldhaus, Thielmann, Oster, Rehbein, Quast, Zander"
        ),
        streets=_split_words("Lindenweg, Mühlenstraße, Am Anger, Gartenallee, Bahnhofsring, Kastanienhof"),
        towns=_split_words("Neuenfeld, Oberhausenau, Waldkirchen am See, Altmühle, Rosental, Hohenbrück"),
        postcode="00###",
        phone="0171 39200##",
        identity_title="PERSONALAUSWEIS / IDENTITY CARD",
        identity_number="L0@@##@##",
        tax_label="Steuer-ID",
        tax_number="00 ### ### ###",
        currency="EUR ",
        account="DE00 0000 #### #### #### ##",
        dates="%d.%m.%Y",
    ),
    "FR": Country(
        name="France",
        women=_split_words(
            "Solène, Amandine, Fatou, Mireille, Camille, Noémie, Yasmine, Odile, Margaux, Lise, Inès, Agathe"
        ),
        men=_split_words("Thibault, Karim, Étienne, Bastien, Moussa, Gérard, Quentin, Loïc, Rémi, Hugo, Yanis, Alban"),
        families=_split_words(
            "Delaunay, Traoré, Marchand, Bouvier, Lefranc, Haddad, Carpentier, Rousselot, Vasseur, Benali, Garnier, "
            "Montel, Prigent, Sylla, Aubert, Teissier"
        ),
        streets=_split_words("rue des Tilleuls, avenue de la Gare, place du Marché, chemin Vert, quai Nord, rue Haute"),
        towns=_split_words("Saint-Aubin-le-Lac, Villefranque, Montclair, Beaurivage, Larzicourt, Port-Mérel"),
        postcode="00###",
        phone="06 39 98 ## ##",
        identity_title="CARTE D'IDENTITÉ / IDENTITY CARD",
        identity_number="X0@@##@##",
        tax_label="N° fiscal",
        tax_number="00 ## ### ### ###",
        currency="EUR ",
        account="FR00 0000 0000 #### #### #### ###",
        dates="%d/%m/%Y",
        number_first=True,
    ),
    "ES": Country(
        name="España",
        women=_split_words(
            "Lucía, Rosario, Montserrat, Nerea, Pilar, Itziar, Carla, Esperanza, Noa, Elvira, Vega, Sonia"
        ),
        men=_split_words("Álvaro, Joaquín, Iker, Ramón, Sergio, Manuel, Unai, Nicolás, Tomás, Gonzalo, Biel, Omar"),
        families=_split_words(
            "Ortuño, Salcedo, Etxeberria, Molina, Cabrera, Vidal, Quintana, Rueda, Bermejo, Lozano, Peralta, Serra, "
            "Arroyo, Galindo, Nieto, Pardo"
        ),
        streets=_split_words(
            "calle del Olmo, avenida del Puerto, plaza Mayor, paseo de las Flores, calle Nueva, ronda Sur"
        ),
        towns=_split_words("Valdemora, Puerto Claro, Villarrobles, Montalbán del Río, Castrelo, Aldeanueva"),
        postcode="00###",
        phone="600 000 ###",
        identity_title="DOCUMENTO DE IDENTIDAD / IDENTITY CARD",
        identity_number="00######-@",
        tax_label="NIF",
        tax_number="00######@",
        currency="EUR ",
        account="ES00 0000 0000 #### #### ####",
        dates="%d %m %Y",
    ),
    "IT": Country(
        name="Italia",
        women=_split_words(
            "Giulia, Ornella, Chiara, Beatrice, Donatella, Sara, Martina, Fiorella, Elisa, Ada, Noemi, Ivana"
        ),
        men=_split_words(
            "Lorenzo, Gennaro, Matteo, Salvatore, Davide, Paolo, Nicolò, Renato, Fabio, Elio, Amir, Tiziano"
        ),
        families=_split_words(
            "Bellandi, Ferraro, Cattaneo, Moretti, Santoro, Gallizia, Marchetti, Piras, Zanetti, Donnarumma, Vitale, "
            "Rinaldi, Tosi, Caruso, Bassi, Lupi"
        ),
        streets=_split_words("via dei Pini, viale Europa, corso Vecchio, piazza del Pozzo, via Fontana, largo Sole"),
        towns=_split_words("Borgo San Lino, Montefiore Alto, Porto Serra, Castelnovo, Villa d'Olmo, Roccabruna"),
        postcode="00###",
        phone="000 00#####",
        identity_title="CARTA D'IDENTITÀ / IDENTITY CARD",
        identity_number="CA00###@@",
        tax_label="Codice fiscale",
        tax_number="@@@@@@##@##@###@",
        currency="EUR ",
        account="IT00 X000 0000 0000 #### #### ###",
        dates="%d.%m.%Y",
    ),
    "PL": Country(
        name="Polska",
        women=_split_words(
            "Agnieszka, Zofia, Bożena, Kinga, Małgorzata, Ewa, Aleksandra, Iwona, Hania, Olga, Lena, Wanda"
        ),
        men=_split_words(
            "Krzysztof, Bartosz, Zbigniew, Marek, Jakub, Leszek, Wojciech, Paweł, Igor, Antoni, Kamil, Jerzy"
        ),
        families=_split_words(
            "Wrona, Zielonka, Dąbek, Malinowicz, Kurek, Stachura, Bielak, Górka, Sobol, Pietras, Lis, Jarosz, "
            "Cichy, Brzoza, Olszak, Kania"
        ),
        streets=_split_words("ul. Lipowa, ul. Młyńska, al. Parkowa, ul. Dworcowa, os. Słoneczne, ul. Krótka"),
        towns=_split_words("Nowa Wólka, Brzezinki, Zalesie Górne, Kamionka, Lipowiec, Starogrodzie"),
        postcode="00-###",
        phone="000 ### ###",
        identity_title="DOWÓD OSOBISTY / IDENTITY CARD",
        identity_number="@@@ 000###",
        tax_label="PESEL",
        tax_number="000########",
        currency="PLN ",
        account="PL00 0000 0000 #### #### #### ####",
        dates="%d.%m.%Y",
    ),
    "SE": Country(
        name="Sverige",
        women=_split_words("Ingrid, Maja, Karin, Linnéa, Ebba, Samira, Gunilla, Elsa, Tove, Astrid, Nora, Birgitta"),
        men=_split_words("Göran, Axel, Mikael, Elias, Håkan, Oskar, Ali, Lennart, Nils, Viktor, Sixten, Per"),
        families=_split_words(
            "Lindberg, Åkesson, Nyström, Hassan, Sandell, Wikström, Ekdahl, Bergman, Holm, Öberg, Fors, Dahlin, "
            "Ström, Lundh, Rask, Sjöö"
        ),
        streets=_split_words("Björkvägen, Storgatan, Sjöstigen, Hantverkargatan, Kyrkbacken, Ängsvägen"),
        towns=_split_words("Norrvik, Lillsjö, Björkhamn, Västerby, Granudden, Älvstad"),
        postcode="### 00",
        phone="070-174 06 ##",
        identity_title="IDENTITETSKORT / IDENTITY CARD",
        identity_number="00######",
        tax_label="Personnummer",
        tax_number="######-000#",
        currency="SEK ",
        account="SE00 0000 #### #### #### ####",
        dates="%Y-%m-%d",
    ),
    "BR": Country(
        name="Brasil",
        women=_split_words(
            "Juliana, Aparecida, Thaís, Benedita, Larissa, Vitória, Márcia, Débora, Luana, Iara, Rute, Cíntia"
        ),
        men=_split_words(
            "Thiago, Edson, Caio, Raimundo, Leandro, Gustavo, Wesley, João Pedro, Otávio, Davi, Ubiratan, Ivo"
        ),
        families=_split_words(
            "Figueiredo, Nascimento, Teixeira, Sampaio, Brandão, Monteiro, Queiroz, Lacerda, Prado, Cardoso, Amaral, "
            "Furtado, Vasques, Siqueira, Matos, Pinho"
        ),
        streets=_split_words(
            "Rua das Acácias, Avenida Central, Travessa do Sol, Rua da Praia, Alameda Norte, Rua Nova"
        ),
        towns=_split_words("Santa Luzia do Vale, Porto Belém, Campo Verde, Itaporã, Serra Branca, Lagoa Funda"),
        postcode="00###-000",
        phone="(00) 9####-####",
        identity_title="CARTEIRA DE IDENTIDADE / IDENTITY CARD",
        identity_number="00.###.###-#",
        tax_label="CPF",
        tax_number="000.###.###-00",
        currency="R$ ",
        account="BR00 0000 0000 0000 #### ####",
        dates="%d/%m/%Y",
    ),
}
"""The countries by ISO code."""
