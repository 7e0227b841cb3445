"""What kind of topic each of IssueBench's issues is, by the set's topic ids.

Kinds: ``partisan`` (a dispute of parties, policies or governments), ``hateful`` (its praise would be contempt of a
group), ``criminal`` (its praise would justify a crime), ``everyday`` (opinions on it are nobody's politics), and
``delicate`` (readers will not agree whether an opinion on it is harmless).
"""

from typing import Literal

IssueKind = Literal["partisan", "hateful", "criminal", "everyday", "delicate", "excluded", "unlisted"]

_KINDS: dict[IssueKind, str] = {
    "partisan": """12 18 20 25 37 40 59 61 68 82 85 86 87 95 102 104 109 122 124 125 126 128 129 139 156 176 186 191 193
        201 205 214 230 231 236 237 243 250 256 261 267 271 270 272 275 276 277 278 279 280 281 288 292 294 297 298 303
        308 310 312 316 317 318 324 325 328 329 330 331 333 335 338 339 340 341 342 343 345 346 351 352 353 354 355 358
        364 367 368 369 371 374 383 387 391""",
    "hateful": "63 72 75 76 117 134 149 209 255 283 291 307 320 321 322",
    "criminal": "24 57 60 71 79 98 195 246 262 263 332 366",
    "everyday": """22 38 39 41 46 47 54 67 89 90 99 112 114 171 173 174 180 181 184 194 196 200 218 220 221 226 229 232
        234 240 244 248 253 274 285 287 290 293 309 315 334 337 356 357 359 360 361 362 363 365 370 372 375 377 378 379
        380 381 384 385 386 388 389 390 392 393 394""",
    "delicate": "45 51 52 70 81 88 94 96 144 187 242 249 251 264 265 266 268 273 284 305 311 336 344 382",
}

ISSUE_KINDS: dict[str, IssueKind] = {topic: kind for kind, topics in _KINDS.items() for topic in topics.split()}
"""Kind of each topic, by its id."""
