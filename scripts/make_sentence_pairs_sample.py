"""Writes the sample of English and French sentence pairs that belongs to this repository.

    python3 scripts/make_sentence_pairs_sample.py data/samples/fra-eng/fra.txt

Part of the pairs stand here as they are; the others put a subject before a verb, so that the same words come up often
enough for a small net to learn them. All of them were written for this repository.
"""

import sys
from pathlib import Path

# English subject, its verb "to be", and the French subject with être and avoir.
SUBJECTS = [
    ("I'm", "Je suis", ""),
    ("You're", "Tu es", ""),
    ("He's", "Il est", ""),
    ("She's", "Elle est", "e"),
    ("We're", "Nous sommes", "s"),
    ("They're", "Ils sont", "s"),
]

# English, French masculine; adjectives whose feminine adds an e and whose plural adds an s.
ADJECTIVES = [
    ("late", "en retard", False),
    ("calm", "calme", None),
    ("sad", "triste", None),
    ("young", "jeune", None),
    ("sick", "malade", None),
    ("rich", "riche", None),
    ("free", "libre", None),
    ("ready", "prêt", True),
    ("tall", "grand", True),
    ("alone", "seul", True),
    ("lost", "perdu", True),
    ("tired", "fatigué", True),
    ("surprised", "étonné", True),
    ("hidden", "caché", True),
    ("at home", "à la maison", False),
    ("in the kitchen", "dans la cuisine", False),
    ("in front of the church", "devant l'église", False),
]

# English after I, you, we, they; after he, she; French forms for je, tu, il, nous, ils.
VERBS = [
    ("have a dog", "has a dog", ["J'ai", "Tu as", "Il a", "Elle a", "Nous avons", "Ils ont"], "un chien"),
    ("read a book", "reads a book", ["Je lis", "Tu lis", "Il lit", "Elle lit", "Nous lisons", "Ils lisent"], "un livre"),
    ("like tea", "likes tea", ["J'aime", "Tu aimes", "Il aime", "Elle aime", "Nous aimons", "Ils aiment"], "le thé"),
    ("see the sea", "sees the sea", ["Je vois", "Tu vois", "Il voit", "Elle voit", "Nous voyons", "Ils voient"], "la mer"),
    ("eat an apple", "eats an apple", ["Je mange", "Tu manges", "Il mange", "Elle mange", "Nous mangeons", "Ils mangent"], "une pomme"),
    ("open the window", "opens the window", ["J'ouvre", "Tu ouvres", "Il ouvre", "Elle ouvre", "Nous ouvrons", "Ils ouvrent"], "la fenêtre"),
    ("wait for the train", "waits for the train", ["J'attends", "Tu attends", "Il attend", "Elle attend", "Nous attendons", "Ils attendent"], "le train"),
    ("speak French", "speaks French", ["Je parle", "Tu parles", "Il parle", "Elle parle", "Nous parlons", "Ils parlent"], "français"),
    ("drink some water", "drinks some water", ["Je bois", "Tu bois", "Il boit", "Elle boit", "Nous buvons", "Ils boivent"], "de l'eau"),
    ("write a letter", "writes a letter", ["J'écris", "Tu écris", "Il écrit", "Elle écrit", "Nous écrivons", "Ils écrivent"], "une lettre"),
    ("play in the garden", "plays in the garden", ["Je joue", "Tu joues", "Il joue", "Elle joue", "Nous jouons", "Ils jouent"], "dans le jardin"),
    ("go to school", "goes to school", ["Je vais", "Tu vas", "Il va", "Elle va", "Nous allons", "Ils vont"], "à l'école"),
]

PAIRS = """\
Go.|Va !
Go on.|Continue.
Run!|Cours !
Stop!|Arrête !
Wait!|Attends !
Look!|Regarde !
Listen!|Écoute !
Sit down.|Assieds-toi.
Stand up.|Lève-toi.
Come in.|Entre.
Come here.|Viens ici.
Come back.|Reviens.
Hello!|Bonjour !
Good night.|Bonne nuit.
Good evening.|Bonsoir.
Thank you.|Merci.
Thanks a lot.|Merci beaucoup.
Please.|S'il te plaît.
Yes, please.|Oui, s'il te plaît.
No, thanks.|Non, merci.
See you soon.|À bientôt.
See you tomorrow.|À demain.
Of course.|Bien sûr.
Not yet.|Pas encore.
Maybe.|Peut-être.
Never mind.|Ce n'est pas grave.
Be careful!|Fais attention !
Be quiet!|Tais-toi !
Help me.|Aide-moi.
Help us.|Aide-nous.
Call me.|Appelle-moi.
Follow me.|Suis-moi.
Follow her.|Suis-la.
Ask him.|Demande-lui.
Tell me.|Dis-moi.
Show me.|Montre-moi.
Trust me.|Fais-moi confiance.
Forget it.|Oublie ça.
Take it.|Prends-le.
Try it.|Essaie.
Open it.|Ouvre-le.
Close the door.|Ferme la porte.
Open the door.|Ouvre la porte.
Close the window.|Ferme la fenêtre.
Open your book.|Ouvre ton livre.
Read this letter.|Lis cette lettre.
Wash your hands.|Lave-toi les mains.
Eat your soup.|Mange ta soupe.
Drink your milk.|Bois ton lait.
Turn left.|Tourne à gauche.
Turn right.|Tourne à droite.
Hurry up!|Dépêche-toi !
Wake up!|Réveille-toi !
Let's go.|Allons-y.
Let's eat.|Mangeons.
Let's dance.|Dansons.
Let's wait.|Attendons.
Let's begin.|Commençons.
Let's sing.|Chantons.
I lost.|J'ai perdu.
I won.|J'ai gagné.
I ran.|J'ai couru.
I fell.|Je suis tombé.
I slept.|J'ai dormi.
I forgot.|J'ai oublié.
I know.|Je sais.
I see.|Je vois.
I agree.|Je suis d'accord.
I understand.|Je comprends.
I don't know.|Je ne sais pas.
I don't understand.|Je ne comprends pas.
I don't smoke.|Je ne fume pas.
I don't like coffee.|Je n'aime pas le café.
I'm home.|Je suis chez moi.
I'm hungry.|J'ai faim.
I'm thirsty.|J'ai soif.
I'm cold.|J'ai froid.
I'm hot.|J'ai chaud.
I'm scared.|J'ai peur.
I'm right.|J'ai raison.
I'm wrong.|J'ai tort.
I'm sorry.|Je suis désolé.
I'm sure.|J'en suis sûr.
I'm twenty.|J'ai vingt ans.
I'm coming.|J'arrive.
I'm leaving.|Je pars.
I'm working.|Je travaille.
I love you.|Je t'aime.
I miss you.|Tu me manques.
I need you.|J'ai besoin de toi.
I need time.|J'ai besoin de temps.
I need help.|J'ai besoin d'aide.
I need a pen.|J'ai besoin d'un stylo.
I want to sleep.|Je veux dormir.
I want to eat.|Je veux manger.
I want to leave.|Je veux partir.
I want to stay.|Je veux rester.
I can swim.|Je sais nager.
I can see you.|Je te vois.
I can hear you.|Je t'entends.
I can wait.|Je peux attendre.
I can't wait.|Je ne peux pas attendre.
I can't sleep.|Je ne peux pas dormir.
I can't stay.|Je ne peux pas rester.
I have to work.|Je dois travailler.
I have to leave.|Je dois partir.
I have a brother.|J'ai un frère.
I have two sisters.|J'ai deux sœurs.
I have no money.|Je n'ai pas d'argent.
I have no time.|Je n'ai pas le temps.
I bought a house.|J'ai acheté une maison.
I bought some bread.|J'ai acheté du pain.
I found the key.|J'ai trouvé la clé.
I lost the key.|J'ai perdu la clé.
I saw your father.|J'ai vu ton père.
I saw your mother.|J'ai vu ta mère.
I like this song.|J'aime cette chanson.
I like your house.|J'aime ta maison.
I live in Paris.|J'habite à Paris.
I live here.|J'habite ici.
You won.|Tu as gagné.
You lost.|Tu as perdu.
You forgot.|Tu as oublié.
You're right.|Tu as raison.
You're wrong.|Tu as tort.
You're hungry.|Tu as faim.
You can stay.|Tu peux rester.
You can go.|Tu peux y aller.
You have to wait.|Tu dois attendre.
You have to sleep.|Tu dois dormir.
He won.|Il a gagné.
He lost.|Il a perdu.
He ran.|Il a couru.
He slept.|Il a dormi.
He forgot.|Il a oublié.
He's calm.|Il est calme.
He's right.|Il a raison.
He's wrong.|Il a tort.
He's hungry.|Il a faim.
He's cold.|Il a froid.
He's my brother.|C'est mon frère.
He's my father.|C'est mon père.
He's a doctor.|Il est médecin.
He's a teacher.|Il est professeur.
He can swim.|Il sait nager.
He lives here.|Il habite ici.
He lives in Paris.|Il habite à Paris.
He needs help.|Il a besoin d'aide.
He needs time.|Il a besoin de temps.
He wants to sleep.|Il veut dormir.
He wants to leave.|Il veut partir.
He bought a house.|Il a acheté une maison.
He found the key.|Il a trouvé la clé.
She won.|Elle a gagné.
She lost.|Elle a perdu.
She ran.|Elle a couru.
She slept.|Elle a dormi.
She forgot.|Elle a oublié.
She's right.|Elle a raison.
She's wrong.|Elle a tort.
She's hungry.|Elle a faim.
She's cold.|Elle a froid.
She's my sister.|C'est ma sœur.
She's my mother.|C'est ma mère.
She can swim.|Elle sait nager.
She lives here.|Elle habite ici.
She needs help.|Elle a besoin d'aide.
She wants to sleep.|Elle veut dormir.
She wants to leave.|Elle veut partir.
She found the key.|Elle a trouvé la clé.
We won.|Nous avons gagné.
We lost.|Nous avons perdu.
We ran.|Nous avons couru.
We slept.|Nous avons dormi.
We forgot.|Nous avons oublié.
We're right.|Nous avons raison.
We're hungry.|Nous avons faim.
We're cold.|Nous avons froid.
We live here.|Nous habitons ici.
We need help.|Nous avons besoin d'aide.
We have to leave.|Nous devons partir.
We can wait.|Nous pouvons attendre.
We found the key.|Nous avons trouvé la clé.
They won.|Ils ont gagné.
They lost.|Ils ont perdu.
They ran.|Ils ont couru.
They slept.|Ils ont dormi.
They forgot.|Ils ont oublié.
They're right.|Ils ont raison.
They're hungry.|Ils ont faim.
They live here.|Ils habitent ici.
They need help.|Ils ont besoin d'aide.
They found the key.|Ils ont trouvé la clé.
It's late.|Il est tard.
It's cold.|Il fait froid.
It's hot.|Il fait chaud.
It's dark.|Il fait nuit.
It's raining.|Il pleut.
It's snowing.|Il neige.
It's easy.|C'est facile.
It's hard.|C'est difficile.
It's true.|C'est vrai.
It's false.|C'est faux.
It's mine.|C'est à moi.
It's yours.|C'est à toi.
It's a dog.|C'est un chien.
It's a cat.|C'est un chat.
It's an apple.|C'est une pomme.
It's my book.|C'est mon livre.
It's your turn.|C'est ton tour.
It's too late.|C'est trop tard.
It's too expensive.|C'est trop cher.
It's very good.|C'est très bon.
That's all.|C'est tout.
That's enough.|Ça suffit.
Who are you?|Qui es-tu ?
Who is he?|Qui est-ce ?
Who won?|Qui a gagné ?
Who knows?|Qui sait ?
Where are you?|Où es-tu ?
Where is he?|Où est-il ?
Where is she?|Où est-elle ?
Where is the key?|Où est la clé ?
Where is the station?|Où est la gare ?
Where is the cat?|Où est le chat ?
Where do you live?|Où habites-tu ?
How are you?|Comment vas-tu ?
How much is it?|C'est combien ?
How old are you?|Quel âge as-tu ?
What is it?|Qu'est-ce que c'est ?
What do you want?|Que veux-tu ?
What do you see?|Que vois-tu ?
What time is it?|Quelle heure est-il ?
Why not?|Pourquoi pas ?
Why are you here?|Pourquoi es-tu ici ?
Are you ready?|Es-tu prêt ?
Are you sure?|En es-tu sûr ?
Are you hungry?|As-tu faim ?
Are you cold?|As-tu froid ?
Do you have a dog?|As-tu un chien ?
Do you have a brother?|As-tu un frère ?
Do you see the sea?|Vois-tu la mer ?
Do you like tea?|Aimes-tu le thé ?
Do you speak French?|Parles-tu français ?
Can you swim?|Sais-tu nager ?
Can you help me?|Peux-tu m'aider ?
Can I come in?|Puis-je entrer ?
Can I stay?|Puis-je rester ?
The door is open.|La porte est ouverte.
The window is open.|La fenêtre est ouverte.
The soup is hot.|La soupe est chaude.
The water is cold.|L'eau est froide.
The bread is good.|Le pain est bon.
The train is late.|Le train est en retard.
The dog is hungry.|Le chien a faim.
The cat is asleep.|Le chat dort.
The child is asleep.|L'enfant dort.
The children are playing.|Les enfants jouent.
The church is old.|L'église est vieille.
The sea is calm.|La mer est calme.
The house is empty.|La maison est vide.
The garden is small.|Le jardin est petit.
My brother is sick.|Mon frère est malade.
My father is tired.|Mon père est fatigué.
My mother is tired.|Ma mère est fatiguée.
My sister is young.|Ma sœur est jeune.
My dog is old.|Mon chien est vieux.
Your brother is tall.|Ton frère est grand.
Your mother is calm.|Ta mère est calme.
"""


def french_adjective(adjective, kind, ending):
    """`kind`: True inflects, None only in the plural, False never."""
    if kind is True:
        return adjective + ending
    if kind is None and ending == "s":
        return adjective + "s"
    return adjective


def pairs():
    for line in PAIRS.splitlines():
        yield tuple(line.split("|"))
    for english, french, kind in ADJECTIVES:
        for subject, etre, ending in SUBJECTS:
            yield f"{subject} {english}.", f"{etre} {french_adjective(french, kind, ending)}."
    for plain, third, forms, rest in VERBS:
        for subject, form in zip(["I", "You", "He", "She", "We", "They"], forms):
            verb = third if subject in ("He", "She") else plain
            yield f"{subject} {verb}.", f"{form} {rest}."


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    unique = sorted(dict.fromkeys(pairs()), key=lambda pair: len(pair[0]))
    # French puts a narrow no-break space before these marks, as the published set does.
    lines = [f"{english}\t{french.replace(' !', chr(0x202F) + '!').replace(' ?', chr(0x202F) + '?')}\n" for english, french in unique]
    Path(sys.argv[1]).write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} pairs")
