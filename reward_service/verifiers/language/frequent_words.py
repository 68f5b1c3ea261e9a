"""
Frequent words of the Latin-script languages, written for this project.

Character statistics say least about small words ("a", "so", "die"), which are
every third word of a text, and about the words that sister languages share but
for a letter; so both kinds are listed, the second from the trade of reasoning.
"""

_LISTS = {
    "en": """
        a about above after again all also although am among an and another any are aren't as at
        away back be because been before being below between both but by can can't cannot could
        did didn't different do does doesn't doing don't done down each either else enough even
        every few find first for from further get gets give given go good got had has hasn't have
        having he hence her here hers him his hmm how however i i'll i'm i've if in instead into
        is isn't it it's its itself just know last least less let let's like likely look made make
        makes many may maybe me means might more most much must my myself need needs neither never
        next no nor not nothing now of off ok okay on once one only onto or other otherwise our
        out over own per perhaps put rather really right same see seems shall she should since so
        some something still such take than that that's the their them then there therefore these
        they thing things think this those though three through thus to together too true try two
        under until up upon us use used using very want was wasn't way we we'll we're we've well
        were what when where whether which while who whole whose why will with within without
        would wouldn't write yes yet you your again but check wait""",
    "fr": """
        a ai alors après assez au aucun aucune aura aussi autre autres aux avait avant avec avoir
        avons beaucoup bien bon c'est ça car ce ceci cela celle celui ces cet cette ceux chaque
        chez comme comment d'abord d'un d'une dans de depuis des deux devant devons doit doivent
        donc dont du elle elles en encore enfin ensuite entre est et étaient était été être eu
        fait faut faire finalement font il ils j'ai je jusqu'à l'on la laquelle le lequel les
        leur leurs lors lorsque lui là ma mais même mêmes mes moi moins mon n'est ne ni nos notre
        nous on ont or ou où par parce pas pendant peu peut peuvent peut-être plus plusieurs pour
        pourquoi pouvons premier première puis puisque qu'est qu'il qu'on qu'un qu'une quand que
        quel quelle quelque quelques qui quoi rien s'il sa sans se selon sera serait ses seulement
        si soit sommes son sont sous sur ta tandis tel telle tous tout toute toutes trois trop très
        tu un une va vais vers voici voilà vos votre vous vraiment y également ainsi afin""",
    "de": """
        ab aber alle allem allen aller alles als also am an andere anderen auch auf aus außerdem
        bei beide beiden beim bevor bin bis bist da dabei dadurch dafür daher damit danach dann
        daran darauf daraus darf das dass davon dazu dem den denn der deren des dessen deshalb die
        dies diese diesem diesen dieser dieses doch dort drei durch ein eine einem einen einer
        eines einfach einige einmal er erst erste ersten erhalten es etwa etwas für gegeben gegen
        genau gibt gilt gut haben habe hat hatte hier hätte ich ihm ihn ihnen ihr ihre ihrem ihren
        ihrer im immer in indem ins ist ja jede jeden jeder jedes jedoch jetzt kann kein keine
        keinen können könnte können's lassen lässt machen man mehr mein mich mir mit muss man nach
        nämlich nicht nichts noch nun nur ob oben oder ohne schon sehr sein seine seinem seinen
        seiner seit sich sie sind so sodass soll sollte somit sondern sonst über um und uns unser
        unter viel viele vielleicht vom von vor wann war waren warum was weil weiter welche welcher
        wenn wer werden wie wieder will wir wird wo wollen wurde würde zu zuerst zum zur zwei
        zwischen zunächst zuletzt moment""",
    "es": """
        a además ahora al algo alguna algunas algunos algún ambos antes aquel aquí así aun aunque
        aún bajo bien cada casi como con contra cual cuales cualquier cuando cuanto cuya da dado de
        debe deben debería del desde después dice donde dos durante e el ella ellas ellos en
        encontrar entonces entre era eran es esa esas ese eso esos esta estaba están estar estas
        este esto estos está ésta éste fue fueron ha haber había hace hacer hacia han hasta hay he
        hemos la las le les lo los luego lugar mayor me mejor menos mi mientras misma mismo mucho
        muchos muy más nada ni no nos nosotros nuestra nuestro o obtenemos otra otras otro otros
        para pero poco podemos podría por porque primera primero puede pueden pues que queda
        quizá quizás qué se según sea ser si sido siempre siendo sin sino sobre solo son su sus
        sí sólo tal también tampoco tan tanto te tenemos tener tenga tengo tiene tienen toda todas
        todavía todo todos tres tu u un una unas uno unos usar va vamos veces ver vez voy y ya
        yo él cómo cuál""",
    "pt": """
        a acho agora ainda alguma algumas alguns algum além ambos antes ao aos apenas aquela
        aquele aqui as assim até através cada com como contra cuja da dado das de dela delas dele
        deles depois desde dessa desse desta deste deve devem deveria disso do dois dos duas
        durante e ela elas ele eles em embora enquanto então entre era eram essa essas esse esses
        esta está estamos estão estar estas este estes eu fazer foi foram há igual isso isto já
        la lhe logo mais mas me mesma mesmo meu minha muito muitos na nada nas nem nenhum nessa
        nesse nesta neste no nos nossa nosso num numa não nós o obtemos onde os ou outra outras
        outro outros para pela pelas pelo pelos pode podem podemos poderia pois por porque
        portanto precisamos primeira primeiro qual qualquer quando quanto que quem se seja sem
        sempre sendo ser será seu seus sido só sobre sua suas são também tal talvez tanto tem
        temos tempo ter tinha toda todas todo todos três tudo um uma umas uns usar vai vamos vez
        vezes você vou à às é""",
    "it": """
        a abbiamo ad adesso al alcune alcuni alla alle allo allora altra altre altri altro anche
        ancora appena avere aveva basta bene c'è che chi ci ciascuno ciò cioè come con contro cosa
        così cui da dagli dai dal dalla dalle davanti degli dei del dell della delle dello dentro
        deve devono di dopo dove dovrebbe due dunque durante e ecco ed era erano essere fa facciamo
        fare fino forse fra fu già gli ha hai hanno ho i il in infatti infine inoltre insieme io
        la lato le lei li lo loro lui ma maggiore mai me meno mentre mi mio molto ne nei nel nella
        nelle nello nessun niente noi non nostra nostro o ogni oppure ora otteniamo per perché
        perciò però piuttosto più poi poiché possiamo possono prima primo può qual quale quali
        qualche quando quanto quattro quel quella quelle quelli quello questa queste questi questo
        qui quindi sarebbe sarà se sei sempre senza sia siamo siano sono sopra sotto sta stata
        stato stessa stesso su sua sue sui sul sulla suo suoi tale tanto tra tre tu tutta tutte
        tutti tutto un un'altra una uno va vediamo verso vi viene volta è""",
}

_REASONING = {
    "en": """
        zero four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
        thousand million half third quarter twice number numbers sum difference product quotient
        ratio equation inequality value values result answer problem question solution step case
        example proof claim assumption contradiction statement theorem formula side length width
        height angle area volume circle square root power even odd prime factor digit integer
        fraction average total remaining equal equals larger smaller greater bigger add adding
        subtract multiply divide compute calculate simplify substitute solve solving assume suppose
        consider verify prove show obtain follows holds means gives returns list string array loop
        index word words letter true false none error input output file line day days hour hours
        minute week month year money price cost dollars people person left more fewer number's
        algorithm queue program code element elements graph node tree stack python boolean
        ad also bin come dies double due era fall fare font gut hat hay long man men moment null
        ore pair par plus minus pour premier quart rest sea seize sign simple solo tag tale tan
        test war pattern rectangle triangle cube vector matrix set subset function series sequence
        limit integral derivative mean median mode range""",
    "fr": """
        zéro quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept
        vingt trente quarante cinquante soixante cent mille million moitié tiers quart double
        nombre nombres chiffre somme différence produit rapport équation inégalité valeur valeurs
        résultat réponse problème question étape cas exemple preuve hypothèse contradiction énoncé
        théorème formule côté côtés longueur largeur hauteur angle aire cercle carré racine
        puissance pair impair premiers facteur entier fraction moyenne reste égal égale égaux
        ajoute ajouter soustraire multiplier diviser calculer calculons simplifier remplacer
        résoudre supposons considérons vérifier vérifions montrer obtient trouve trouver signifie
        donne renvoie liste chaîne tableau boucle indice mot mots lettre vrai faux erreur jour
        jours heure heures semaine mois année argent prix personnes attendez remarquons soit""",
    "de": """
        null vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn zwanzig
        dreißig vierzig fünfzig sechzig hundert tausend hälfte drittel viertel doppelte zahl zahlen
        ziffer summe differenz produkt verhältnis gleichung ungleichung wert werte ergebnis antwort
        aufgabe frage lösung schritt fall fälle beispiel beweis annahme widerspruch behauptung satz
        formel seite seiten länge breite höhe winkel fläche kreis quadrat wurzel potenz gerade
        ungerade primzahl faktor ganze bruch durchschnitt rest gleich größer kleiner addieren
        subtrahieren multiplizieren dividieren berechnen vereinfachen einsetzen lösen prüfen zeigen
        angenommen betrachten folgt ergibt bedeutet liefert liste zeichenkette schleife wort
        buchstabe wahr falsch fehler tag tage stunde stunden woche monat jahr geld preis person""",
    "es": """
        cero cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis
        diecisiete dieciocho diecinueve veinte treinta cuarenta cincuenta cien ciento mil millón
        mitad tercio cuarto doble número números cifra suma diferencia producto razón ecuación
        desigualdad valor valores resultado respuesta problema pregunta solución paso caso casos
        ejemplo prueba hipótesis contradicción enunciado teorema fórmula lado lados longitud ancho
        largo altura ángulo área círculo cuadrado raíz potencia par impar primos factor entero
        enteros fracción promedio resto igual iguales sumar restar multiplicar dividir calcular
        calculamos simplificar sustituir resolver supongamos consideremos comprobar verificar
        demostrar obtener encontramos significa devuelve lista cadena arreglo bucle índice palabra
        letra verdadero falso día días hora horas semana mes año dinero precio personas queda
        quedan espera bueno salvo pequeño pequeña línea número""",
    "pt": """
        zero quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze dezesseis
        dezessete dezoito dezenove vinte trinta quarenta cinquenta cem cento mil milhão metade terço
        quarto dobro número números algarismo soma diferença produto razão equação desigualdade
        valor valores resultado resposta problema pergunta solução passo caso casos exemplo prova
        hipótese contradição enunciado teorema fórmula lado lados comprimento largura altura ângulo
        área círculo quadrado raiz potência par ímpar primos fator inteiro inteiros fração média
        resto igual iguais somar subtrair multiplicar dividir calcular calculamos simplificar
        substituir resolver suponha suponhamos considere verificar conferir mostrar obter
        encontramos significa devolve retorna lista cadeia vetor laço índice palavra letra
        verdadeiro falso erro dia dias hora horas semana mês ano dinheiro preço pessoas resta
        restam espera certo exceto pequeno pequena linha""",
    "it": """
        zero quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici
        sedici diciassette diciotto diciannove venti trenta quaranta cinquanta cento mille milione
        metà terzo quarto doppio numero numeri cifra somma differenza prodotto rapporto equazione
        disuguaglianza valore valori risultato risposta problema domanda soluzione passo passaggio
        caso casi esempio prova ipotesi contraddizione enunciato testo teorema formula lati
        lunghezza larghezza altezza angolo angoli area cerchio quadrato radice potenza pari dispari
        primi fattore intero interi frazione media resto uguale uguali sommare sottrarre
        moltiplicare dividere calcolare calcoliamo semplificare sostituire risolvere supponiamo
        consideriamo verificare controllare dimostrare ottenere troviamo significa restituisce
        lista stringa ciclo indice parola lettera vero falso errore giorno giorni ora ore settimana
        mese anno denaro prezzo persone rimane rimangono aspetta tranne piccolo piccola riga""",
}

FREQUENT_WORDS = {
    language: frozenset(f"{text} {_REASONING[language]}".split())
    for language, text in _LISTS.items()
}
"""ISO 639-1 code to words, lower case."""
