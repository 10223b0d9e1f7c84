package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.SizeFact

/**
 * A tile's place in a picture.
 *
 * @property top its first row; negative where the picture is smaller than a tile, inside of it.
 * @property left its first column; the same.
 * @property size the file's, for every tile.
 */
public data class Tile(public val top: Int, public val left: Int, public val size: SizeFact)
