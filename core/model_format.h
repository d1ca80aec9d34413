/* model_format.h - the layout of a model file, for model_write.c and model_read.c; nobody else includes this.
 *
 * Everything is little-endian and without gaps:
 *
 *	file      magic "DSCM"  u32 format  u64 size of the whole file  encoder inputs  encoder targets
 *	          u32 layers  layer...  u32 heads  head...  mask...  u64 parameters  f32 parameter...
 *	          u64 statistics  f32 running mean or variance...  u32 crc32c of all before
 *	encoder   u8 role  u8 normalize  u8 missing  u32 columns  column...
 *	column    string name  u8 kind  f64 shift scale fill mean std min max  u64 rows  u64 missing rows
 *	          of a category: u32 values (0: hashed)  string value...  u32 slots  u64 slot count...
 *	          of a date: f64 shift scale fill of its year
 *	          of an input that is a number or a date: u8 edges  f64 edge...  u64 count of a bin (edges + 1)...
 *	layer     u32 units  string activation  params  u8 bias  string init ("" for the activation's own)  params of init
 *	          f64 dropout  f64 l1  f64 l2  f64 max norm  u8 normalization  f64 density  u8 is it a head
 *	          u8 sources (0: the layer before)  u32 source... (0: the inputs, i + 1: layer i)  u8 has it a mask
 *	head      string loss  params  f64 weight  u8 is it a category
 *	mask      of each layer that has one: a bit for each of (inputs, columns), the lowest of a byte first, 1: connected
 *	string    u32 length  bytes, no NUL among them
 *	params    u8 count  f64 value...
 *
 * A change of any of this is a new format number. Format 2, which is still read, had no dates, hashed categories and
 * bins. Format 1, which is still read, had one head and neither masks nor
 * statistics: after the layers came  string loss  params  u64 parameters  f32 parameter...  and a layer ended with l2 and
 * had no params of init.
 */
#ifndef DESCENT_MODEL_FORMAT_H
#define DESCENT_MODEL_FORMAT_H

#define MODEL_MAGIC     "DSCM"
#define MODEL_FORMAT    3
#define MODEL_CRC_BYTES 4

#endif
